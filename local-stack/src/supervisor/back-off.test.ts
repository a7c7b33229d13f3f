import { describe, expect, test } from '@jest/globals';
import { backOffDelayMs, countFailures } from './back-off.ts';

describe('back-off', () => {
  test('doubles from 100 ms to 5 s and stays there', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 100].map(backOffDelayMs);
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  });

  test('begins anew after a part has been up for a while', () => {
    expect(countFailures(4, 1000)).toBe(5);
    expect(countFailures(4, 30_000)).toBe(1);
  });
});
