import { describe, expect, it } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { isValidFor, type Discount } from './discount.ts';
import { pricingTerms, unsetSettings } from './merchant-settings.ts';

const discount: Discount = {
  ...{ id: newId(), merchantId: newId(), code: 'TEN', kind: 'percentage', value: 1_000 },
  ...{ active: true, version: 1, createdAt: new Date(0) },
};
const now = Date.UTC(2026, 0, 1);
const order = { currency: 'USD', nowMs: now };

describe('a discount is valid', () => {
  it.each<[string, Partial<Discount>, boolean]>([
    ['always, unless it says when', {}, true],
    ['while it is active', { active: false }, false],
    ['from the moment that it starts', { startsAt: new Date(now) }, true],
    ['not before', { startsAt: new Date(now + 1) }, false],
    ['until just before it ends', { endsAt: new Date(now + 1) }, true],
    ['not from its end on', { endsAt: new Date(now) }, false],
    ['for an amount in the currency of the order', { kind: 'amount', currency: 'USD' }, true],
    ['not for one in another', { kind: 'amount', currency: 'EUR' }, false],
  ])('%s', (_name, change, expected) => {
    expect(isValidFor({ ...discount, ...change }, order)).toBe(expected);
  });
});

describe('the terms of an order', () => {
  const unset = unsetSettings(newId());
  const terms = { code: 'TEN', kind: 'percentage', value: 1_000 } as const;

  it('are none where nothing is added or taken off', () => {
    expect(pricingTerms(unset)).toBeUndefined();
    expect(pricingTerms({ ...unset, shipping: { flat: 0, freeFrom: 5 } })).toBeUndefined();
  });

  it('are all that there is', () => {
    const shipping = { flat: 490, freeFrom: 5_000 };
    expect(pricingTerms({ ...unset, taxRate: 1_900 })).toEqual({
      ...{ taxRate: 1_900, shipping: { flat: 0 } },
    });
    expect(pricingTerms({ ...unset, shipping })).toEqual({ taxRate: 0, shipping });
    expect(pricingTerms(unset, terms)).toEqual({
      ...{ taxRate: 0, shipping: { flat: 0 }, discount: terms },
    });
  });
});
