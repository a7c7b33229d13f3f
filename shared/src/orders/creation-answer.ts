import { toWire } from '../money/money.ts';
import type { Order } from './order.ts';

/**
 * Body of the 201 of POST /api/orders, as the bytes that are sent. Only facts of the creation are in
 * it, so a replay years later is the same to the byte.
 */
export function creationAnswer(order: Order): string {
  return JSON.stringify({
    message: 'Order created successfully',
    order: {
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
    },
  });
}

/** An item as clients see it. */
export const wireItem = (item: Order['items'][number]) => ({
  productId: item.productId,
  sku: item.sku,
  name: item.name,
  unitPrice: toWire(item.unitPrice),
  quantity: item.quantity,
});
