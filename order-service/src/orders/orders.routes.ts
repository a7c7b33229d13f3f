import { z } from 'zod';
import { statuses } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { objectId } from '@quicksale/shared/orders';
import { cancelOrder, type CancelOrderDeps } from './cancel-order.ts';
import { orderView } from './order-view.ts';

const order = z.looseObject({ _id: z.string(), status: z.enum(statuses), version: z.number() });
const page = z.object({
  data: z.array(order),
  page: z.object({ next: z.string().nullable() }),
});

const listQuery = z.strictObject({
  status: z.enum(statuses).optional(),
  saleId: objectId.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: objectId.optional(),
});

const cancelBody = z.strictObject({ reason: z.string().trim().min(1).max(500).optional() });

const notFound = () => new AppError('not-found', { message: 'You have no such order' });

/** Reads and changes of one's own orders; somebody else's order does not exist. */
export function orderRoutes(deps: CancelOrderDeps): Route[] {
  const { orders } = deps;
  return [
    ...(['post', 'delete'] as const).map((method) => cancelRoute(deps, method)),
    route(
      {
        method: 'get',
        path: '/api/orders/:id',
        summary: 'Read one of your orders',
        access: 'signed-in',
        params: z.object({ id: objectId }),
        replies: { 200: order, 304: undefined },
        errors: ['not-found'],
      },
      async ({ params }, { principal, header }) => {
        const found = await orders.findOwn(principal.userId, params.id);
        if (!found || found.kind === 'house') throw notFound();
        const headers = { ETag: `"${found.version}"` };
        if (header('if-none-match') === headers.ETag) return { status: 304, headers };
        return { status: 200, headers, body: orderView(found) };
      },
    ),
    route(
      {
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
        const next = found.next && nextLink({ limit, status, saleId, cursor: found.next });
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
      method,
      path: method === 'post' ? '/api/orders/:id/cancel' : '/api/orders/:id',
      summary: 'Cancel one of your orders before it is shipped',
      access: 'signed-in',
      params: z.object({ id: objectId }),
      body: cancelBody.optional(),
      idempotent: true,
      replies: { 200: order },
      errors: ['not-found', 'order-state-conflict'],
    },
    async ({ params, body }, { principal }) => {
      const result = await cancelOrder(deps, {
        userId: principal.userId,
        orderId: params.id,
        ...(body?.reason && { reason: body.reason }),
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
        case 'too_late':
          throw new AppError('order-state-conflict', {
            message: `An order that is ${result.order.status} cannot be cancelled`,
            extensions: { currentStatus: result.order.status },
          });
      }
    },
  );
}

function nextLink(query: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return `/api/orders?${new URLSearchParams(pairs).toString()}`;
}
