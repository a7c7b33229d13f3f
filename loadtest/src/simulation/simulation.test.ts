import { describe, expect, it } from '@jest/globals';
import { runSeed } from './run-seed.ts';
import { addUp, inWords, noSeeds, notMet } from './sum.ts';

describe('the simulation', () => {
  it('plays the same history for a seed, step by step', async () => {
    const histories = [7, 7, 8].map(async (seed) => {
      const lines: string[] = [];
      await runSeed(seed, (line) => void lines.push(line));
      return lines;
    });
    const [first = [], again, other] = await Promise.all(histories);
    expect(first.length).toBeGreaterThan(300);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  }, 60_000);

  it('adds up what seeds came to, and says how to play a broken one again', () => {
    const one = { steps: 10, settledMs: 5, excused: 1, counts: { kill: 2 } };
    const sound = { ...one, seed: 1, violations: [] };
    const broken = { ...one, seed: 2, settledMs: 0, violations: ['I4: gone', 'I1: odd'] };
    const sum = [sound, broken].reduce(addUp, addUp(noSeeds, addUp(noSeeds, sound)));
    expect(sum).toEqual({
      ...{ seeds: 3, steps: 30, excused: 3, longestSettledMs: 5, counts: { kill: 6 } },
      broken: [{ seed: 2, violations: ['I4: gone', 'I1: odd'] }],
    });
    const lines = inWords(sum, 1);
    expect(lines).toContain('seed 2: I4: gone and 1 more');
    expect(lines).toContain('  again, step by step: npm run simulate -- --seed 2');
    expect(lines.at(-1)).toBe('1 of 3 seeds broke an invariant');
  });

  it('is told what a hundred histories have not met', () => {
    expect(notMet({ seeds: 99, counts: {} })).toEqual([]);
    expect(notMet({ seeds: 100, counts: { kill: 1 } })).toContain('ledger set back');
    expect(notMet({ seeds: 100, counts: { kill: 1 } })).not.toContain('kill');
  });
});
