import { z } from 'zod';
import { statuses } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { idempotencyDigest, requestFingerprint } from '@quicksale/shared/idempotency';
import { objectId, orderItems, reason } from '@quicksale/shared/orders';
import { cancelOrder, type CancelOrderDeps } from './cancel-order.ts';
import { linkTo } from './next-link.ts';
import { orderReply, orderView } from './order-view.ts';
import { readOrder, type ReadOrderDeps } from './read-order.ts';

const page = z.object({
  data: z.array(orderReply),
  page: z.object({ next: z.string().nullable() }),
});

const listQuery = z.strictObject({
  status: z.enum(statuses).optional(),
  saleId: objectId.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: objectId.optional(),
});

const cancelBody = z.strictObject({
  reason: reason.optional(),
  /** Some units only; all of the order when absent. */
  items: orderItems.optional(),
});
/** Scope of an idempotency key of both routes: the one is the other's alias. */
const cancelScope = 'POST /api/orders/:id/cancel';

const notFound = () => new AppError('not-found', { message: 'You have no such order' });

/** It is the same for everybody, and says of no id that there is an order. */
const beingRecorded = () =>
  new AppError('order-being-recorded', {
    message: 'An order this young may still be on its way: ask again',
    retryAfterSeconds: 1,
  });

export type OrderRoutesDeps = CancelOrderDeps & ReadOrderDeps;

/** Reads and changes of one's own orders; somebody else's order does not exist. */
export function orderRoutes(deps: OrderRoutesDeps): Route[] {
  const { orders } = deps;
  return [
    ...(['post', 'delete'] as const).map((method) => cancelRoute(deps, method)),
    route(
      {
        operationId: 'readOrder',
        method: 'get',
        path: '/api/orders/:id',
        summary: 'Read one of your orders',
        access: 'signed-in',
        params: z.object({ id: objectId }),
        replies: { 200: orderReply, 304: undefined },
        errors: ['not-found', 'order-being-recorded', 'dependency-unavailable'],
      },
      async ({ params }, { principal, header }) => {
        const found = await readOrder(deps, { userId: principal.userId, orderId: params.id });
        if (found.status === 'not_found') throw notFound();
        if (found.status === 'being_recorded') throw beingRecorded();
        const headers = { ETag: `"${found.order.version}"` };
        if (header('if-none-match') === headers.ETag) return { status: 304, headers };
        return { status: 200, headers, body: orderView(found.order) };
      },
    ),
    route(
      {
        operationId: 'listOrders',
        method: 'get',
        path: '/api/orders',
        summary: 'List your orders, newest first',
        access: 'signed-in',
        query: listQuery,
        replies: { 200: page },
      },
      async ({ query: { cursor, limit, status, saleId } }, { principal }) => {
        const found = await orders.listOwn(principal.userId, {
          limit,
          ...(status && { status }),
          ...(saleId && { saleId }),
          ...(cursor && { before: cursor }),
        });
        const next =
          found.next && linkTo('/api/orders', { limit, status, saleId, cursor: found.next });
        return {
          status: 200,
          ...(next && { headers: { Link: `<${next}>; rel="next"` } }),
          body: { data: found.orders.map(orderView), page: { next: found.next ?? null } },
        };
      },
    ),
  ];
}

/** POST /api/orders/:id/cancel and its alias DELETE /api/orders/:id. */
function cancelRoute(deps: CancelOrderDeps, method: 'post' | 'delete'): Route {
  return route(
    {
      operationId: method === 'post' ? 'cancelOrder' : 'deleteOrder',
      method,
      path: method === 'post' ? '/api/orders/:id/cancel' : '/api/orders/:id',
      summary: 'Cancel one of your orders, or some units of it, before it is shipped',
      access: 'signed-in',
      params: z.object({ id: objectId }),
      body: cancelBody.optional(),
      idempotent: 'stored',
      keyScope: cancelScope,
      replies: { 200: orderReply },
      errors: [
        'not-found',
        'order-state-conflict',
        'idempotency-key-reused',
        'request-in-progress',
        'order-being-recorded',
        'dependency-unavailable',
      ],
    },
    async ({ params, body }, { principal, idempotencyKey: key }) => {
      const { userId } = principal;
      const result = await cancelOrder(deps, {
        userId,
        orderId: params.id,
        ...(body?.reason && { reason: body.reason }),
        ...(body?.items && { units: body.items }),
        digest: idempotencyDigest({ userId, route: cancelScope, key }),
        fingerprint: requestFingerprint(body ?? {}),
      });
      switch (result.status) {
        case 'cancelled':
          return {
            status: 200,
            headers: { ETag: `"${result.order.version}"` },
            body: orderView(result.order),
          };
        case 'not_found':
          throw notFound();
        case 'being_recorded':
          throw beingRecorded();
        case 'too_late':
          throw new AppError('order-state-conflict', {
            message: `An order that is ${result.order.status} cannot be cancelled`,
            extensions: { currentStatus: result.order.status },
          });
        case 'not_owned':
          throw new AppError('order-state-conflict', {
            message: 'The order has not so many units of these products left',
            extensions: { currentStatus: result.order.status },
          });
        case 'key_reused':
          throw new AppError('idempotency-key-reused', {
            message: 'This Idempotency-Key was used to cancel something else',
          });
      }
    },
  );
}
