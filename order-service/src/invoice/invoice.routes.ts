import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Principal } from '@quicksale/shared/auth';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { objectId, type Order, type OrderStore } from '@quicksale/shared/orders';
import { findSoldOrder } from '../fulfilment/sold-order.ts';
import { invoicePage, invoicePolicy } from './invoice-page.ts';

export interface InvoiceDeps {
  orders: Pick<OrderStore, 'findByIds' | 'findOwn'>;
}

/** GET /api/orders/:id/invoice: the paper of an order, for its buyer and for those who sell it. */
export function invoiceRoutes({ orders }: InvoiceDeps): Route[] {
  const find = async (principal: Principal, id: string): Promise<Order | undefined> =>
    (await orders.findOwn(principal.userId, id)) ?? (await findSoldOrder(orders, principal, id));

  return [
    route(
      {
        operationId: 'readInvoice',
        method: 'get',
        path: '/api/orders/:id/invoice',
        summary: 'Read the invoice of one of your orders as a page to print',
        access: 'signed-in',
        params: z.object({ id: objectId }),
        replies: { 200: z.string().meta({ contentMediaType: 'text/html' }) },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ params }, { principal }) => {
        const order = await find(principal, params.id);
        if (!order) throw new AppError('not-found', { message: 'You have no such order' });
        return {
          status: 200,
          headers: {
            'Content-Security-Policy': invoicePolicy(),
            'X-Content-Type-Options': 'nosniff',
            'Referrer-Policy': 'no-referrer',
          },
          stream: { type: 'text/html', chunks: Readable.from([invoicePage(order)]) },
        };
      },
    ),
  ];
}
