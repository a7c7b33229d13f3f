import { describe, expect, it } from '@jest/globals';
import { createUnitTally, seen } from './unit-tally.ts';

describe('a tally of units', () => {
  const tallyOf = (last: number) => createUnitTally(new Map([['p', last]]));
  const unit = (number: number) => ({ productId: 'p', unit: number });

  it('knows where each unit was seen, whatever the order', () => {
    const tally = tallyOf(9);
    expect(tally.note(seen.free, unit(9))).toBe(0);
    expect(tally.note(seen.held, unit(2))).toBe(0);
    expect(tally.note(seen.sold, unit(9))).toBe(seen.free);
    expect(tally.select('p', (where) => where !== 0)).toEqual([2, 9]);
    expect(tally.select('p', (where) => where !== 0, { from: 3 })).toEqual([9]);
    expect(tally.select('p', (where) => where === 0, { to: 5 })).toEqual([1, 3, 4]);
    expect(tally.count('p', (where) => (where & seen.sold) !== 0)).toBe(1);
  });

  it('finds units that were seen nowhere behind the last that was seen', () => {
    const tally = tallyOf(4);
    tally.note(seen.held, unit(1));
    expect(tally.select('p', (where) => where === 0)).toEqual([2, 3, 4]);
    expect(tallyOf(3).select('p', (where) => where === 0, { to: 3 })).toEqual([1, 2]);
  });

  it('keeps apart what a product does not have', () => {
    const tally = tallyOf(3);
    for (const number of [0, 4, NaN]) tally.note(seen.live, unit(number));
    tally.note(seen.live, { productId: 'q', unit: 1 });
    expect(tally.outside).toHaveLength(4);
    expect(tally.select('p', (where) => where !== 0)).toEqual([]);
  });

  it('does no work for units that nobody has asked for', () => {
    const tally = tallyOf(4_000_000_000_000);
    tally.note(seen.held, unit(3));
    let looks = 0;
    const isSeen = (where: number) => {
      looks += 1;
      return where !== 0;
    };
    expect(tally.select('p', isSeen)).toEqual([3]);
    expect(tally.count('p', isSeen)).toBe(1);
    expect(looks).toBeLessThan(20);
  });
});
