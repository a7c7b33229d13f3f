import { AppError, type ErrorCode } from '@quicksale/shared/errors';
import { reserveError } from '@quicksale/shared/stock-ledger';
import type { PlaceOrderResult } from './place-order.ts';

type Refusal = Exclude<PlaceOrderResult, { status: 'created' }>;

/** Codes that whoever has an order placed may be answered. */
export const refusalCodes = [
  'idempotency-key-reused',
  'sold-out',
  'buyer-limit-reached',
  'hold-gone',
  'sale-not-open',
  'sale-closed',
  'sale-paused',
  'unknown-product',
  'mixed-sales',
  'unknown-discount',
  'discount-used-up',
  'sale-fenced',
  'dependency-unavailable',
] as const satisfies readonly ErrorCode[];

/** What a buyer is told when no order was made, or when it is not certain yet. */
export function refusalError(refusal: Refusal): AppError {
  switch (refusal.status) {
    case 'mixed_sales':
      return new AppError('mixed-sales', {
        message: 'These products belong to several sales: place one order for each',
      });
    case 'unknown_discount':
      return new AppError('unknown-discount');
    case 'discount_used_up':
      return new AppError('discount-used-up', {
        message:
          refusal.scope === 'user'
            ? 'You have used this discount code as often as one buyer may'
            : 'This discount code has been used as often as it may be',
        extensions: { scope: refusal.scope },
      });
    case 'in_doubt':
      return new AppError('sale-fenced');
    case 'not_recorded':
      return new AppError('dependency-unavailable', {
        message: 'The order could not be completed right now: send it again with the same key',
      });
    default:
      return reserveError(refusal);
  }
}
