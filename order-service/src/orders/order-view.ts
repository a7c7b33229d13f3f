import { toWire } from '@quicksale/shared/money';
import { cancelledUnits, wireItem, type Order } from '@quicksale/shared/orders';

/** An item and, once some of it is cancelled, how much. */
function itemsView(order: Order) {
  const cancelled = cancelledUnits(order);
  return order.items.map((item) => ({
    ...wireItem(item),
    ...(cancelled.has(item.productId) && { cancelled: cancelled.get(item.productId) }),
  }));
}

/** An order as its owner reads it. */
export const orderView = (order: Order) => ({
  _id: order.id,
  orderNumber: order.orderNumber,
  userId: order.userId,
  saleId: order.saleId,
  items: itemsView(order),
  subtotal: toWire(order.subtotal),
  taxAmount: toWire(order.taxAmount),
  shippingCost: toWire(order.shippingCost),
  discount: toWire(order.discount),
  totalAmount: toWire(order.totalAmount),
  currency: order.currency,
  ...(order.shippingAddress && { shippingAddress: order.shippingAddress }),
  ...(order.billingAddress && { billingAddress: order.billingAddress }),
  status: order.status,
  inventoryStatus: order.inventoryStatus,
  paymentStatus: order.paymentStatus,
  version: order.version,
  history: order.history.map(({ version, from, to, at, reason, cancelled }) => ({
    version,
    from,
    to,
    at: at.toISOString(),
    ...(reason && { reason }),
    ...(cancelled && { cancelled }),
  })),
  idempotencyKey: order.idempotencyKey,
  expiresAt: order.expiresAt?.toISOString() ?? null,
  createdAt: order.createdAt.toISOString(),
  updatedAt: order.updatedAt.toISOString(),
});
