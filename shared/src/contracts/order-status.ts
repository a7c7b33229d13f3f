/** Where an order stands. The graph between them lives in `shared/src/orders`. */
export const statuses = [
  'PENDING',
  'AWAITING_PAYMENT',
  'CONFIRMED',
  'PROCESSING',
  'SHIPPED',
  'DELIVERED',
  'FAILED',
  'CANCELLED',
  'EXPIRED',
  'REFUNDED',
] as const;
export type Status = (typeof statuses)[number];

/** Where its units stand. */
export const inventoryStatuses = ['PENDING', 'RESERVED', 'REJECTED', 'RELEASED', 'SOLD'] as const;
export type InventoryStatus = (typeof inventoryStatuses)[number];

/** Where its money stands. */
export const paymentStatuses = [
  'NONE',
  'PENDING',
  'PAID',
  'FAILED',
  'PARTIALLY_REFUNDED',
  'REFUNDED',
] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];
