import { orderCreated, orderStatus, type OutgoingEvent, type Status } from '../contracts/index.ts';
import type { HistoryEntry, Order, OrderState } from './order.ts';

/** `order.created` of an order, from its creation facts. */
export function orderCreatedEvent(order: Order): OutgoingEvent {
  return orderCreated.event({
    orderId: order.id,
    orderNumber: order.orderNumber,
    saleId: order.saleId,
    userId: order.userId,
    items: order.items.map(({ productId, quantity }) => ({ productId, quantity })),
    expiresAt: order.expiresAt?.toISOString() ?? null,
    at: order.createdAt.toISOString(),
  });
}

/**
 * `order.status` for one step of an order's history: the same whenever it is rendered. `state` is for
 * a step that does not tell its own.
 */
export function orderStatusEvent(
  order: Pick<Order, 'id' | 'orderNumber' | 'userId' | 'saleId'>,
  state: OrderState,
  entry: HistoryEntry,
): OutgoingEvent {
  return orderStatus.event({
    orderId: order.id,
    orderNumber: order.orderNumber,
    userId: order.userId,
    saleId: order.saleId,
    from: entry.from ?? entry.to,
    to: entry.to,
    inventoryStatus: entry.inventoryStatus ?? state.inventoryStatus,
    paymentStatus: entry.paymentStatus ?? state.paymentStatus,
    version: entry.version,
    message: messageOf(entry),
    at: entry.at.toISOString(),
  });
}

const messages: Readonly<Record<Status, string>> = {
  PENDING: 'We have your order',
  AWAITING_PAYMENT: 'Your items are held for you, please pay',
  CONFIRMED: 'Your order is confirmed',
  PROCESSING: 'Your order is being prepared',
  SHIPPED: 'Your order is on its way',
  DELIVERED: 'Your order was delivered',
  FAILED: 'Your order could not be completed',
  CANCELLED: 'Your order was cancelled',
  EXPIRED: 'Your order was not paid in time',
  REFUNDED: 'Your order was refunded',
};

const moneyMessages = {
  declined: 'Your payment was refused: you may try again',
  repaid: 'Your money is on its way back',
} as const;

/** What the buyer is told about one step. */
function messageOf({ to, cancelled, money }: HistoryEntry): string {
  if (cancelled) return 'Some items of your order were cancelled';
  return money ? moneyMessages[money] : messages[to];
}
