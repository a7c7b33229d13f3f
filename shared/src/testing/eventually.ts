import { setTimeout as sleep } from 'node:timers/promises';

/** Repeats an expectation until it holds; the last failure is thrown when it never does. */
export async function eventually<T>(
  expectation: () => T | Promise<T>,
  limitMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      return await expectation();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(10);
    }
  }
}
