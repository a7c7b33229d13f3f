import { describe, expect, it } from '@jest/globals';
import { saleOfItems } from './sale-of-items.ts';

const known = new Map(
  [
    { id: 'a', saleId: 's', archived: false },
    { id: 'b', saleId: 's', archived: false },
    { id: 'c', saleId: 't', archived: false },
    { id: 'd', saleId: 's', archived: true },
  ].map((product) => [product.id, product]),
);
const of = (...ids: string[]) =>
  saleOfItems(
    known,
    ids.map((productId) => ({ productId })),
  );

describe('the sale of some items', () => {
  it('is the one that all their products are in, in the order of the items', () => {
    expect(of('b', 'a')).toEqual({
      status: 'found',
      saleId: 's',
      products: [known.get('b'), known.get('a')],
    });
  });

  it('is none when they are in two, or one of them is in none', () => {
    expect(of('a', 'c')).toEqual({ status: 'mixed_sales' });
    expect(of('c', 'd', 'a')).toEqual({ status: 'unknown_product', productId: 'd' });
    expect(of('a', 'x')).toEqual({ status: 'unknown_product', productId: 'x' });
  });
});
