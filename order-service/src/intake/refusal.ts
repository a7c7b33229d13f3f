import { AppError } from '@quicksale/shared/errors';
import type { PlaceOrderResult } from './place-order.ts';

type Refusal = Exclude<PlaceOrderResult, { status: 'created' }>;

/** What a buyer is told when no order was made, or when it is not certain yet. */
export function refusalError(refusal: Refusal): AppError {
  switch (refusal.status) {
    case 'sold_out':
      return new AppError('sold-out', { extensions: { products: refusal.products } });
    case 'limit':
      return new AppError('buyer-limit-reached', {
        message: `This sale allows ${refusal.limit} units per buyer; you have ${refusal.owned}`,
        extensions: { limit: refusal.limit, owned: refusal.owned },
      });
    case 'too_many_holds':
      return new AppError('too-many-holds');
    case 'hold_gone':
      return new AppError('hold-gone');
    case 'not_open':
      return new AppError('sale-not-open', {
        extensions: { opensAt: new Date(refusal.opensAtMs).toISOString() },
      });
    case 'closed':
      return new AppError('sale-closed');
    case 'paused':
      return new AppError('sale-paused');
    case 'key_reused':
      return new AppError('idempotency-key-reused', {
        message: 'This Idempotency-Key was used with another body',
      });
    case 'mixed_sales':
      return new AppError('mixed-sales', {
        message: 'These products belong to several sales: place one order for each',
      });
    case 'unknown_product':
      return new AppError('unknown-product', {
        extensions: { productId: refusal.productId },
      });
    case 'fenced':
    case 'unknown_sale':
    case 'in_doubt':
      return new AppError('sale-fenced');
    case 'not_admitted':
    case 'not_recorded':
      return new AppError('dependency-unavailable', {
        message: 'The order could not be completed right now: send it again with the same key',
      });
  }
}
