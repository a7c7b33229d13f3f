import { AppError } from '../errors/index.ts';
import type { ReserveReply } from './ledger.ts';

/** Answers of the ledger to a reservation that took nothing, for a client to be told. */
export type ReserveRefusal = Exclude<
  ReserveReply,
  { status: 'reserved' | 'replayed' | 'ask_earlier' }
>;

/** What a client is told when the ledger took nothing. */
export function reserveError(refusal: ReserveRefusal): AppError {
  switch (refusal.status) {
    case 'sold_out':
      return new AppError('sold-out', { extensions: { products: refusal.products } });
    case 'limit':
      return new AppError('buyer-limit-reached', {
        message: `This sale allows ${refusal.limit} units per buyer; you have ${refusal.owned}`,
        extensions: { limit: refusal.limit, owned: refusal.owned },
      });
    case 'too_many_holds':
      return new AppError('too-many-holds', {
        message: `A buyer may have ${refusal.most} holds in a sale`,
      });
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
    case 'unknown_product':
      return new AppError('unknown-product', { extensions: { productId: refusal.productId } });
    case 'fenced':
    case 'unknown_sale':
      return new AppError('sale-fenced');
    case 'not_admitted':
      return new AppError('dependency-unavailable', {
        message: 'The stock ledger is being checked: send the same request again',
      });
  }
}
