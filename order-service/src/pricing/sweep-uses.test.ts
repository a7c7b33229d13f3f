import { describe, expect, it } from '@jest/globals';
import type { Order } from '@quicksale/shared/orders';
import type { KeyLookup } from '@quicksale/shared/stock-ledger';
import { givenOrder, newId } from '@quicksale/shared/testing';
import type { DiscountUse } from './discount-uses.ts';
import { createUseSweep, useOutcome, type UseOutcome } from './sweep-uses.ts';

const minute = 60_000;
const now = Date.UTC(2026, 0, 2);
const useOf = (ageMs: number, more: Partial<DiscountUse> = {}): DiscountUse => ({
  ...{ id: newId(), discountId: newId(), userId: newId(), fingerprint: 'f'.repeat(64) },
  ...{ saleIds: [newId()], inFlight: 1, takenAt: new Date(now - ageMs), checkAt: new Date(now) },
  ...more,
});

describe('what becomes of a use', () => {
  it.each<[Order['status'], UseOutcome]>([
    ['PENDING', 'later'],
    ['AWAITING_PAYMENT', 'later'],
    ['CONFIRMED', 'later'],
    ['PROCESSING', 'later'],
    ['SHIPPED', 'final'],
    ['DELIVERED', 'final'],
    ['REFUNDED', 'final'],
    ['CANCELLED', 'drop'],
    ['EXPIRED', 'drop'],
    ['FAILED', 'drop'],
  ])('of an order that is %s: %s', (status, outcome) => {
    const order = { status, requestFingerprint: 'f'.repeat(64) };
    for (const ageMs of [0, 20 * minute, 3_000 * minute])
      expect(useOutcome(useOf(ageMs), order, [], now)).toBe(outcome);
  });

  it.each<[number, KeyLookup[], UseOutcome]>([
    [15, ['unknown'], 'drop'],
    [15, ['unknown', 'unknown'], 'drop'],
    [14.9, ['unknown'], 'later'],
    // By then a ledger has forgotten keys.
    [23 * 60 - 1, ['unknown'], 'drop'],
    [23 * 60, ['unknown'], 'later'],
    [60, ['known'], 'later'],
    [60, ['unknown', 'known'], 'later'],
    [60, ['fenced'], 'later'],
    [60, ['not_admitted'], 'later'],
    [60, ['unknown_sale'], 'later'],
    [60, ['unknown', 'fenced'], 'later'],
    [60, [], 'later'],
  ])('without an order after %d min, when ledgers say %j: %s', (age, lookups, outcome) => {
    expect(useOutcome(useOf(age * minute), undefined, lookups, now)).toBe(outcome);
  });

  it('whose key names an order of another request: it goes, after a while', () => {
    const order = { status: 'DELIVERED', requestFingerprint: 'g' } as const;
    expect(useOutcome(useOf(60 * minute), order, [], now)).toBe('drop');
    expect(useOutcome(useOf(minute), order, [], now)).toBe('later');
  });
});

it('the sweep asks the ledgers only for keys without an order, and looks later the older a use is', async () => {
  const [young, lost, old, ended, done] = [1, 20, 50, 300, 300].map((age) => useOf(age * minute));
  if (!young || !lost || !old || !ended || !done) throw new Error('not five');
  const orderOf = ({ id }: DiscountUse, status: Order['status']): Order => ({
    ...givenOrder({ digest: id }),
    status,
  });
  const asked: string[] = [];
  const dropped: string[] = [];
  let next: [string, number | undefined][] = [];
  await createUseSweep({
    clock: { now: () => now },
    uses: {
      findDue: async () => [young, lost, old, ended, done],
      drop: async ({ id }) => dropped.push(id) > 0,
      reschedule: async (given) => {
        next = given.map(({ use, at }) => [use.id, at && (at.getTime() - now) / minute]);
      },
    },
    orders: {
      findRelated: async () => [
        orderOf(old, 'CONFIRMED'),
        orderOf(ended, 'EXPIRED'),
        orderOf(done, 'DELIVERED'),
      ],
    },
    ledger: {
      findKeys: async (places) => {
        asked.push(...places.map(({ digest }) => digest));
        return places.map(() => 'unknown');
      },
    },
  })();
  expect(asked).toEqual([young.id, lost.id]);
  expect(dropped).toEqual([lost.id, ended.id]);
  expect(next).toEqual([
    [young.id, 1],
    [old.id, 50],
    [done.id, undefined],
  ]);
});
