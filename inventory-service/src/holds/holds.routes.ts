import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { orderItems } from '@quicksale/shared/orders';
import {
  holdId,
  printHoldId,
  reserveError,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { confirmHold, type ConfirmHoldDeps } from './confirm-hold.ts';
import { placeHold, type PlaceHoldDeps, type PlaceHoldResult } from './place-hold.ts';
import { releaseHold } from './release-hold.ts';

const reservePath = '/api/inventory/reserve';

const holdRequest = z.strictObject({
  items: orderItems,
  ttlSeconds: z.number().int().min(1).max(900).default(300),
});
const heldReply = z.object({
  holdId: z.string(),
  expiresAt: z.string(),
  items: z.array(z.object({ productId: z.string(), quantity: z.number().int() })),
});
const namedHold = z.strictObject({ holdId });

export interface HoldRoutesDeps extends PlaceHoldDeps, ConfirmHoldDeps {
  products: PlaceHoldDeps['products'];
  ledger: Pick<StockLedger, 'reserve' | 'readHolds' | 'release'>;
}

/** Holds without an order. To anybody but their owner and their merchant they do not exist. */
export function holdRoutes(deps: HoldRoutesDeps): Route[] {
  return [
    route(
      {
        operationId: 'placeHold',
        method: 'post',
        path: reservePath,
        summary: 'Put units aside until a deadline, for an order that names the hold',
        access: 'signed-in',
        body: holdRequest,
        idempotent: 'optional',
        replies: { 201: heldReply },
        errors: [
          'sold-out',
          'buyer-limit-reached',
          'too-many-holds',
          'sale-not-open',
          'sale-closed',
          'sale-paused',
          'idempotency-key-reused',
          'unknown-product',
          'mixed-sales',
          'sale-fenced',
          'dependency-unavailable',
        ],
      },
      async ({ body: { items, ttlSeconds } }, { principal, idempotencyKey }) => {
        const result = await placeHold(deps, {
          userId: principal.userId,
          key: idempotencyKey,
          route: `POST ${reservePath}`,
          items,
          ttlSeconds,
        });
        if (result.status !== 'held') throw holdRefusal(result);
        const { saleId, record, replayed } = result;
        return {
          status: 201,
          ...(replayed && { headers: { 'Idempotent-Replayed': 'true' } }),
          body: {
            holdId: printHoldId({ saleId, recordId: record.orderId }),
            expiresAt: new Date(record.expiresAt).toISOString(),
            items,
          },
        };
      },
    ),
    /**
     * Released twice, the second answer is `hold-gone`: the ledger keeps nothing of a hold that has
     * ended. Whoever repeats because an answer was lost reads it as done: nothing is held any more.
     */
    route(
      {
        operationId: 'releaseHold',
        method: 'post',
        path: '/api/inventory/release',
        summary: 'Give the units of a hold back',
        access: 'signed-in',
        body: namedHold,
        replies: { 200: z.object({ holdId: z.string(), released: z.literal(true) }) },
        errors: ['hold-gone', 'sale-fenced', 'dependency-unavailable'],
      },
      async ({ body }, { principal }) => {
        if ((await releaseHold(deps, body.holdId, principal.userId)) === 'gone')
          throw new AppError('hold-gone');
        return { status: 200, body: { holdId: printHoldId(body.holdId), released: true as const } };
      },
    ),
    route(
      {
        operationId: 'confirmHold',
        method: 'post',
        path: '/api/inventory/confirm',
        summary: 'Take the units of a hold out of stock for good',
        access: ['MERCHANT', 'ADMIN'],
        body: namedHold,
        replies: { 200: z.object({ orderId: z.string() }) },
        errors: ['hold-gone', 'insufficient-stock', 'sale-fenced', 'dependency-unavailable'],
      },
      async ({ body }, { principal }) => {
        const made = await confirmHold(deps, body.holdId, principal);
        switch (made.kind) {
          case 'made':
            return { status: 200, body: { orderId: made.orderId } };
          case 'hold-gone':
            throw new AppError('hold-gone');
          case 'insufficient-stock':
            throw new AppError('insufficient-stock', { extensions: { products: made.products } });
        }
      },
    ),
  ];
}

function holdRefusal(refusal: Exclude<PlaceHoldResult, { status: 'held' }>): AppError {
  switch (refusal.status) {
    case 'mixed_sales':
      return new AppError('mixed-sales', {
        message: 'These products belong to several sales: one hold is for one sale',
      });
    case 'busy':
      return new AppError('dependency-unavailable', {
        message: 'Another request with this key is under way: send it again',
      });
    default:
      return reserveError(refusal);
  }
}
