import { describe, expect, it } from '@jest/globals';
import { reserveError, type ReserveRefusal } from './reserve-error.ts';

const products = [{ productId: 'p', available: 1 }];

describe('what a client is told when the ledger took nothing', () => {
  it.each<[ReserveRefusal, string, object | undefined]>([
    [{ status: 'sold_out', products }, 'sold-out', { products }],
    [{ status: 'limit', limit: 2, owned: 1 }, 'buyer-limit-reached', { limit: 2, owned: 1 }],
    [{ status: 'too_many_holds', most: 5 }, 'too-many-holds', undefined],
    [{ status: 'hold_gone' }, 'hold-gone', undefined],
    [
      { status: 'not_open', opensAtMs: 0 },
      'sale-not-open',
      { opensAt: '1970-01-01T00:00:00.000Z' },
    ],
    [{ status: 'closed' }, 'sale-closed', undefined],
    [{ status: 'paused' }, 'sale-paused', undefined],
    [{ status: 'key_reused' }, 'idempotency-key-reused', undefined],
    [{ status: 'unknown_product', productId: 'p' }, 'unknown-product', { productId: 'p' }],
    [{ status: 'fenced' }, 'sale-fenced', undefined],
    [{ status: 'unknown_sale' }, 'sale-fenced', undefined],
    [{ status: 'not_admitted' }, 'dependency-unavailable', undefined],
  ])('%p', (refusal, code, extensions) => {
    const error = reserveError(refusal);
    expect([error.code, error.extensions]).toEqual([code, extensions]);
  });
});
