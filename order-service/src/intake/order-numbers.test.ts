import { describe, expect, it } from '@jest/globals';
import { createOrderNumbers } from './order-numbers.ts';

const clock = { now: () => Date.UTC(2026, 5, 1) };

describe('order numbers', () => {
  it('come in order, each once, over the borders of blocks', async () => {
    let next = 1;
    const numbers = createOrderNumbers(async (count) => {
      next += count;
      return next - count;
    }, clock);
    const taken = [];
    for (let i = 0; i < 2_500; i += 1) taken.push(await numbers.take());
    expect(taken[0]).toBe('ORD-2026-000001');
    expect(new Set(taken).size).toBe(2_500);
  });

  it('are drawn once for callers side by side', async () => {
    let draws = 0;
    const numbers = createOrderNumbers(async () => {
      draws += 1;
      return 1;
    }, clock);
    await Promise.all(Array.from({ length: 50 }, () => numbers.take()));
    expect(draws).toBe(1);
  });

  it('are used again when they are given back', async () => {
    const numbers = createOrderNumbers(async () => 1, clock);
    const taken = await numbers.take();
    numbers.giveBack(taken);
    expect(await numbers.take()).toBe(taken);
  });

  it('ask again after a block could not be drawn', async () => {
    let tries = 0;
    const numbers = createOrderNumbers(async () => {
      tries += 1;
      if (tries === 1) throw new Error('away');
      return 7;
    }, clock);
    await expect(numbers.take()).rejects.toThrow('away');
    expect(await numbers.take()).toBe('ORD-2026-000007');
  });
});
