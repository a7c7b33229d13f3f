import { route, type Route } from '@quicksale/shared/http';
import { creationAnswer, creationReply } from '@quicksale/shared/orders';
import { orderRequest } from './order-request.ts';
import { placeOrder, type PlaceOrderDeps } from './place-order.ts';
import { refusalCodes, refusalError } from './refusal.ts';

/** Scope of an idempotency key: the same key on another route is another key. */
const keyScope = 'POST /api/orders';

/** POST /api/orders. */
export function intakeRoutes(deps: PlaceOrderDeps): Route[] {
  return [
    route(
      {
        operationId: 'placeOrder',
        method: 'post',
        path: '/api/orders',
        summary: 'Place an order',
        access: 'signed-in',
        body: orderRequest,
        idempotent: true,
        replies: { 201: creationReply },
        errors: refusalCodes,
      },
      async ({ body }, { principal, idempotencyKey }) => {
        const result = await placeOrder(deps, {
          userId: principal.userId,
          key: idempotencyKey,
          route: keyScope,
          body,
        });
        if (result.status !== 'created') throw refusalError(result);
        return {
          status: 201,
          raw: creationAnswer(result.order),
          headers: {
            Location: `/api/orders/${result.order.id}`,
            ...(result.replayed && { 'Idempotent-Replayed': 'true' }),
          },
        };
      },
    ),
  ];
}
