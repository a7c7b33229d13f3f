import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { createRefusalCounts } from './refusal-counts.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const plain = (counts: ReadonlyMap<string, ReadonlyMap<string, number>>) =>
  Object.fromEntries([...counts].map(([id, ofSale]) => [id, Object.fromEntries(ofSale)]));

describe('refusals', () => {
  it('are added once each, by sale and reason', async () => {
    const saved: unknown[] = [];
    const counts = createRefusalCounts(async (all) => void saved.push(plain(all)), log);
    counts.note('a', 'sold-out');
    counts.note('a', 'sold-out');
    counts.note('a', 'sale-closed');
    counts.note('b', 'sold-out');
    await counts.flush();
    await counts.flush();
    expect(saved).toEqual([{ a: { 'sold-out': 2, 'sale-closed': 1 }, b: { 'sold-out': 1 } }]);
  });

  it('wait for the database, and those of meanwhile join them', async () => {
    const saved: unknown[] = [];
    let away = true;
    const counts = createRefusalCounts(async (all) => {
      if (away) throw new Error('away');
      saved.push(plain(all));
    }, log);
    counts.note('a', 'sold-out');
    const failing = counts.flush();
    counts.note('a', 'sold-out');
    await failing;
    away = false;
    await counts.flush();
    expect(saved).toEqual([{ a: { 'sold-out': 2 } }]);
  });

  it('are kept of a bounded number of sales', async () => {
    const saved: number[] = [];
    const counts = createRefusalCounts(async (all) => void saved.push(all.size), log);
    for (let n = 0; n < 1_500; n += 1) counts.note(String(n), 'sold-out');
    await counts.flush();
    expect(saved).toEqual([1_000]);
  });
});
