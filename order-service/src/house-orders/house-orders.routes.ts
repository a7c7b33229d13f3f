import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { refusalError } from '../intake/refusal.ts';
import { houseOrderRequest } from './house-order-request.ts';
import {
  placeHouseOrder,
  type PlaceHouseOrderDeps,
  type PlaceHouseOrderResult,
} from './place-house-order.ts';

const doneOrder = z.object({ orderId: z.string(), units: z.number() });

/** POST /internal/house-orders, on the admin port: the internal key was the credential. */
export function houseOrderRoutes(deps: PlaceHouseOrderDeps): Route[] {
  return [
    route(
      {
        operationId: 'placeHouseOrder',
        method: 'post',
        path: '/internal/house-orders',
        summary: 'Take units out of a sale for the house',
        access: 'public',
        body: houseOrderRequest,
        replies: { 200: doneOrder },
        errors: [
          'insufficient-stock',
          'hold-gone',
          'unknown-product',
          'idempotency-key-reused',
          'sale-fenced',
          'dependency-unavailable',
        ],
      },
      async ({ body }) => {
        const result = await placeHouseOrder(deps, body);
        if (result.status !== 'done') throw houseRefusal(result);
        return { status: 200, body: { orderId: result.orderId, units: result.units } };
      },
    ),
  ];
}

function houseRefusal(result: Exclude<PlaceHouseOrderResult, { status: 'done' }>): AppError {
  switch (result.status) {
    case 'sold_out':
      return new AppError('insufficient-stock', { extensions: { products: result.products } });
    case 'key_reused':
      return new AppError('idempotency-key-reused', {
        message: 'This operation id was used with another body',
      });
    case 'not_shipped':
      return new AppError('dependency-unavailable', {
        message: 'The order is made but not finished: send it again, or wait',
      });
    default:
      return refusalError(result);
  }
}
