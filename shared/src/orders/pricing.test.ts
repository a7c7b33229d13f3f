import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { PricingTerms } from './pricing-terms.ts';
import { amountDue, priceOrder } from './pricing.ts';

const items = [
  { productId: 'a', sku: '', name: '', unitPrice: 999, quantity: 3 },
  { productId: 'b', sku: '', name: '', unitPrice: 5_000, quantity: 1 },
];
const free = { flat: 0 };

describe('what an order costs', () => {
  it('is the sum of its prices where a merchant has no terms', () => {
    const amounts = { subtotal: 7_997, discount: 0, taxAmount: 0, shippingCost: 0 };
    expect(priceOrder(items, undefined)).toEqual({ ...amounts, totalAmount: 7_997 });
  });

  it('takes the discount off before tax, and taxes no shipping', () => {
    const terms: PricingTerms = {
      taxRate: 1_900,
      shipping: { flat: 490 },
      discount: { code: 'TEN', kind: 'percentage', value: 1_000 },
    };
    // 799.7 off, half up; 19 % of 7197 is 1367.43.
    expect(priceOrder(items, terms)).toEqual({
      ...{ subtotal: 7_997, discount: 800, taxAmount: 1_367, shippingCost: 490 },
      totalAmount: 7_997 - 800 + 1_367 + 490,
    });
  });

  it('never takes more off than there is', () => {
    const discount = { code: 'BIG', kind: 'amount', value: 10_000 } as const;
    const terms = { taxRate: 1_900, shipping: free, discount };
    expect(priceOrder(items, terms)).toMatchObject({ discount: 7_997, totalAmount: 0 });
  });

  it('has free shipping from the very amount on, after the discount', () => {
    const shippingOf = (freeFrom: number, value: number) =>
      priceOrder(items, {
        taxRate: 0,
        shipping: { flat: 490, freeFrom },
        discount: { code: 'C', kind: 'amount', value },
      }).shippingCost;
    expect([shippingOf(7_997, 0), shippingOf(7_998, 0), shippingOf(7_997, 1)]).toEqual([
      0, 490, 490,
    ]);
  });

  it('is exact where a product of amounts is past 2^53', () => {
    const dear = [{ unitPrice: 100_000_000_000, quantity: 2_000 }];
    expect(priceOrder(dear, { taxRate: 1_999, shipping: free })).toMatchObject({
      taxAmount: 39_980_000_000_000,
    });
  });
});

describe('what an order costs now', () => {
  const terms: PricingTerms = { taxRate: 1_900, shipping: { flat: 490 } };
  const order = (
    status: 'CONFIRMED' | 'CANCELLED' | 'EXPIRED' | 'FAILED' | 'REFUNDED',
    cancelled: [string, number][] = [],
    of: PricingTerms = terms,
  ) => ({
    ...priceOrder(items, of),
    ...{ status, items },
    history: cancelled.map(([productId, quantity]) => ({
      ...{ version: 2, from: status, to: status, at: new Date(0), by: '' },
      cancelled: [{ productId, quantity }],
    })),
  });

  it('is nothing once it is over', () => {
    for (const status of ['CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED'] as const)
      expect(amountDue(order(status))).toBe(0);
  });

  it('is the goods that are left, their share of discount and tax, and shipping', () => {
    expect(amountDue(order('CONFIRMED'))).toBe(7_997 + 1_519 + 490);
    // 19 % of 5999, and not 19 % of 7997 less that of 1998.
    expect(amountDue(order('CONFIRMED', [['a', 2]]))).toBe(5_999 + 1_139 + 490);
    const half = { ...terms, discount: { code: 'C', kind: 'percentage', value: 5_000 } } as const;
    expect(amountDue(order('CONFIRMED', [['b', 1]], half))).toBe(1_498 + 285 + 490);
  });

  it('never rises by a cancel, and never is more than was to be paid', () => {
    const anyTerms = fc.record({
      taxRate: fc.nat(10_000),
      shipping: fc.record({ flat: fc.nat(10_000), freeFrom: fc.nat(20_000) }),
      discount: fc.record({
        code: fc.constant('C'),
        kind: fc.constant('amount' as const),
        value: fc.nat(10_000),
      }),
    });
    fc.assert(
      fc.property(anyTerms, (of) => {
        const steps: [string, number][] = [];
        let before = amountDue(order('CONFIRMED', steps, of));
        expect(before).toBe(priceOrder(items, of).totalAmount);
        for (const productId of ['a', 'b', 'a', 'a']) {
          steps.push([productId, 1]);
          const now = amountDue(order('CONFIRMED', steps, of));
          expect(now).toBeLessThanOrEqual(before);
          expect(now).toBeGreaterThanOrEqual(0);
          before = now;
        }
      }),
    );
  });
});
