import { setTimeout as sleep } from 'node:timers/promises';

/** Looking more often than this takes time from whoever is to bring the expectation about. */
const longestPauseMs = 100;

/** Repeats an expectation until it holds; the last failure is thrown when it never does. */
export async function eventually<T>(
  expectation: () => T | Promise<T>,
  limitMs = 15_000,
): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await expectation();
    } catch (error) {
      const waitedMs = performance.now() - startedAt;
      if (waitedMs > limitMs) throw error;
      await sleep(Math.min(10 + waitedMs / 10, longestPauseMs));
    }
  }
}
