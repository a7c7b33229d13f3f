import { z } from 'zod';
import { inventoryStatuses, paymentStatuses, statuses } from '@quicksale/shared/contracts';
import { toWire } from '@quicksale/shared/money';
import {
  address,
  amountDue,
  cancelledUnits,
  itemReply,
  wireItem,
  type Order,
} from '@quicksale/shared/orders';

const amount = z.number();
const time = z.iso.datetime();

/** An order in an answer. Amounts are in major units of its currency. */
export const orderReply = z
  .object({
    _id: z.string(),
    orderNumber: z.string(),
    userId: z.string(),
    saleId: z.string(),
    merchantId: z.string().optional(),
    items: z.array(itemReply.extend({ cancelled: z.number().int().optional() })),
    subtotal: amount,
    taxAmount: amount,
    shippingCost: amount,
    discount: amount,
    discountCode: z.string().optional(),
    totalAmount: amount,
    /** What it costs as it is now: less once units are cancelled, nothing once it is over. */
    totalNow: amount,
    currency: z.string(),
    shippingAddress: address.optional(),
    billingAddress: address.optional(),
    status: z.enum(statuses),
    inventoryStatus: z.enum(inventoryStatuses),
    paymentStatus: z.enum(paymentStatuses),
    trackingNumber: z.string().optional(),
    version: z.number().int(),
    history: z.array(
      z.object({
        version: z.number().int(),
        from: z.enum(statuses).nullable(),
        to: z.enum(statuses),
        at: time,
        reason: z.string().optional(),
        cancelled: z
          .array(z.object({ productId: z.string(), quantity: z.number().int() }))
          .readonly()
          .optional(),
      }),
    ),
    idempotencyKey: z.string(),
    expiresAt: time.nullable(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Order' });

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
  ...(order.merchantId && { merchantId: order.merchantId }),
  items: itemsView(order),
  subtotal: toWire(order.subtotal),
  taxAmount: toWire(order.taxAmount),
  shippingCost: toWire(order.shippingCost),
  discount: toWire(order.discount),
  ...(order.pricing?.discount && { discountCode: order.pricing.discount.code }),
  totalAmount: toWire(order.totalAmount),
  totalNow: toWire(amountDue(order)),
  currency: order.currency,
  ...(order.shippingAddress && { shippingAddress: order.shippingAddress }),
  ...(order.billingAddress && { billingAddress: order.billingAddress }),
  status: order.status,
  inventoryStatus: order.inventoryStatus,
  paymentStatus: order.paymentStatus,
  ...(order.trackingNumber && { trackingNumber: order.trackingNumber }),
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
