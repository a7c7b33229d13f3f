import { z } from 'zod';
import type { Principal } from '@quicksale/shared/auth';
import { statuses } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import { entityTag, isUnchanged, route, type Route } from '@quicksale/shared/http';
import { objectId, type OrderStore } from '@quicksale/shared/orders';
import { linkTo } from '../orders/next-link.ts';
import { merchantOrderReply, merchantOrderView } from './merchant-order-view.ts';
import { exportOrders } from './order-csv.ts';
import { findSoldOrder } from './sold-order.ts';

const page = z.object({
  data: z.array(merchantOrderReply),
  page: z.object({ next: z.string().nullable() }),
});

const filters = {
  status: z.enum(statuses).optional(),
  saleId: objectId.optional(),
  /** For ADMIN and SUPPORT, who see the orders of all merchants without it. */
  merchantId: objectId.optional(),
};
const listQuery = z.strictObject({
  ...filters,
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: objectId.optional(),
});
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
const exportQuery = z.strictObject({ ...filters, from: time.optional(), to: time.optional() });

const readers = ['MERCHANT', 'ADMIN', 'SUPPORT'] as const;

export interface MerchantOrdersDeps {
  orders: Pick<OrderStore, 'findByIds' | 'listOfMerchant'>;
}

/** Orders as those read them who sell: merchants their own, ADMIN and SUPPORT all. */
export function merchantOrderRoutes({ orders }: MerchantOrdersDeps): Route[] {
  return [
    route(
      {
        operationId: 'listMerchantOrders',
        method: 'get',
        path: '/api/merchant/orders',
        summary: 'List the orders of your products, newest first',
        access: readers,
        query: listQuery,
        replies: { 200: page },
        errors: ['dependency-unavailable'],
      },
      async ({ query: { cursor, limit, ...query } }, { principal }) => {
        const found = await orders.listOfMerchant({
          limit,
          ...ownFilter(principal, query),
          ...(cursor && { before: cursor }),
        });
        const next =
          found.next && linkTo('/api/merchant/orders', { limit, ...query, cursor: found.next });
        return {
          status: 200,
          ...(next && { headers: { Link: `<${next}>; rel="next"` } }),
          body: { data: found.orders.map(merchantOrderView), page: { next: found.next ?? null } },
        };
      },
    ),
    route(
      {
        operationId: 'readMerchantOrder',
        method: 'get',
        path: '/api/merchant/orders/:id',
        summary: 'Read an order of your products',
        access: readers,
        params: z.object({ id: objectId }),
        replies: { 200: merchantOrderReply, 304: undefined },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ params }, { principal, header }) => {
        const order = await findSoldOrder(orders, principal, params.id);
        if (!order)
          throw new AppError('not-found', { message: 'There is no such order of your products' });
        const headers = { ETag: entityTag(order.version) };
        if (isUnchanged(header('if-none-match'), headers.ETag)) return { status: 304, headers };
        return { status: 200, headers, body: merchantOrderView(order) };
      },
    ),
    route(
      {
        operationId: 'exportMerchantOrders',
        method: 'get',
        path: '/api/merchant/orders.csv',
        summary: 'Export the orders of your products as a table, a line per item, newest first',
        access: readers,
        query: exportQuery,
        replies: { 200: z.string().meta({ contentMediaType: 'text/csv' }) },
        errors: ['dependency-unavailable'],
      },
      async ({ query: { from, to, ...query } }, { principal }) => ({
        status: 200,
        headers: { 'Content-Disposition': 'attachment; filename="orders.csv"' },
        stream: {
          type: 'text/csv',
          chunks: exportOrders(orders, {
            ...ownFilter(principal, query),
            ...(from && { from }),
            ...(to && { to }),
          }),
        },
      }),
    ),
  ];
}

type Query = Pick<z.output<typeof listQuery>, keyof typeof filters>;

/** Merchants get their own orders, whatever they ask for. */
function ownFilter({ role, userId }: Principal, { status, saleId, merchantId }: Query) {
  if (role === 'MERCHANT' && merchantId && merchantId !== userId) throw new AppError('forbidden');
  const whose = role === 'MERCHANT' ? userId : merchantId;
  return {
    ...(whose && { merchantId: whose }),
    ...(status && { status }),
    ...(saleId && { saleId }),
  };
}
