import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors/index.ts';
import type { Clock, Random } from '../process/ports.ts';
import type { AnswerStore, KeyClaim, StoredAnswer } from './answer-store.ts';

export type OneAnswer = StoredAnswer & { isReplay: boolean };

/**
 * Answers a request under its idempotency key: what `execute` resolves to first is kept and said
 * again; what it throws is kept for nobody. Throws that, or AppError `idempotency-key-reused`,
 * `request-in-progress` or `dependency-unavailable`.
 */
export type AnswerOnce = (
  request: Pick<KeyClaim, 'digest' | 'fingerprint'>,
  execute: () => Promise<StoredAnswer>,
) => Promise<OneAnswer>;

/** Longer than a request takes: after that its process is taken for dead. */
const leaseMs = 10_000;
/** A day as promised, and ten minutes for clocks that differ. */
const keptMs = 24 * 3_600_000 + 10 * 60_000;
const twinWaitMs = 2_000;
const firstLookMs = 25;
const longestLookMs = 400;

/**
 * Stored answers for routes whose answers cannot be told again from what they have changed. What
 * `execute` does must be harmless when it is done twice: of a request whose process died nobody knows
 * how far it came, and after its lease the next one with the key executes it again. The lease goes by
 * the clocks of the processes; clocks that differ make it longer or shorter, never unsafe.
 */
export function createAnswerOnce(deps: {
  store: AnswerStore;
  clock: Clock;
  random: Random;
  wait?: (ms: number) => Promise<unknown>;
}): AnswerOnce {
  const { store, clock, random, wait = sleep } = deps;

  async function executeAs(
    claim: KeyClaim,
    execute: () => Promise<StoredAnswer>,
  ): Promise<OneAnswer | undefined> {
    try {
      const answer = await execute();
      const isKept = await store.finish(claim, answer, new Date(clock.now() + keptMs));
      // Somebody took this attempt for dead: what that one stores is the answer.
      return isKept ? { ...answer, isReplay: false } : undefined;
    } catch (error) {
      // When this does not get through, the lease ends all the same.
      await store.giveUp(claim).catch(() => undefined);
      throw error;
    }
  }

  return async (request, execute) => {
    const claim = { ...request, attempt: random.objectId(clock.now()) };
    let lookMs = firstLookMs;
    for (let waitedMs = 0; ; waitedMs += lookMs, lookMs = Math.min(lookMs * 2, longestLookMs)) {
      const now = clock.now();
      const found = await store.begin(claim, {
        now: new Date(now),
        leaseEndsAt: new Date(now + leaseMs),
      });
      if (found.kind === 'begun') {
        const answer = await executeAs(claim, execute);
        if (answer) return answer;
      } else if (found.fingerprint !== request.fingerprint)
        throw new AppError('idempotency-key-reused');
      else if (found.kind === 'finished') return { ...found.answer, isReplay: true };
      if (waitedMs >= twinWaitMs)
        throw new AppError('request-in-progress', { retryAfterSeconds: 1 });
      await wait(lookMs);
    }
  };
}
