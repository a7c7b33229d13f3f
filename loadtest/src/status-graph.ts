/**
 * The statuses that may follow each: the checkers' own statement, since the shop's is what they
 * check.
 */
export const statusGraph: Readonly<Record<string, readonly string[]>> = {
  PENDING: ['CONFIRMED', 'AWAITING_PAYMENT', 'FAILED', 'CANCELLED', 'EXPIRED'],
  AWAITING_PAYMENT: ['CONFIRMED', 'CANCELLED', 'EXPIRED'],
  CONFIRMED: ['PROCESSING', 'CANCELLED', 'REFUNDED'],
  PROCESSING: ['SHIPPED', 'CANCELLED', 'REFUNDED'],
  SHIPPED: ['DELIVERED', 'REFUNDED'],
  DELIVERED: ['REFUNDED'],
};
