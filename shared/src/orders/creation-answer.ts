import { z } from 'zod';
import { toWire } from '../money/money.ts';
import type { Order } from './order.ts';

/** An item in an answer. Amounts are in major units: 9.5 is nine and a half. */
export const itemReply = z
  .object({
    productId: z.string(),
    sku: z.string(),
    name: z.string(),
    unitPrice: z.number(),
    quantity: z.number().int(),
  })
  .meta({ id: 'OrderItem' });

/** The 201 of POST /api/orders. */
export const creationReply = z
  .object({
    message: z.literal('Order created successfully'),
    order: z.object({
      _id: z.string(),
      orderNumber: z.string(),
      userId: z.string(),
      saleId: z.string(),
      items: z.array(itemReply),
      totalAmount: z.number(),
      currency: z.string(),
      status: z.literal('PENDING'),
      inventoryStatus: z.literal('PENDING'),
      idempotencyKey: z.string(),
      createdAt: z.iso.datetime(),
      reservation: z.object({
        /** Until when it must be paid; null where nothing is to be paid. */
        expiresAt: z.iso.datetime().nullable(),
        units: z.number().int(),
      }),
    }),
  })
  .meta({ id: 'CreatedOrder' });

/**
 * Body of the 201 of POST /api/orders, as the bytes that are sent. Only facts of the creation are in
 * it, so a replay years later is the same to the byte.
 */
export const creationAnswer = (order: Order): string =>
  JSON.stringify({ message: 'Order created successfully', order: createdOrder(order) });

/** An order as it was created. */
export const createdOrder = (order: Order) =>
  ({
    _id: order.id,
    orderNumber: order.orderNumber,
    userId: order.userId,
    saleId: order.saleId,
    items: order.items.map(wireItem),
    totalAmount: toWire(order.totalAmount),
    currency: order.currency,
    status: 'PENDING',
    inventoryStatus: 'PENDING',
    idempotencyKey: order.idempotencyKey,
    createdAt: order.createdAt.toISOString(),
    reservation: {
      expiresAt: order.expiresAt?.toISOString() ?? null,
      units: order.items.reduce((sum, item) => sum + item.quantity, 0),
    },
  }) as const;

/** An item as clients see it. */
export const wireItem = (item: Order['items'][number]) => ({
  productId: item.productId,
  sku: item.sku,
  name: item.name,
  unitPrice: toWire(item.unitPrice),
  quantity: item.quantity,
});
