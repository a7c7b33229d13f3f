import { createHash } from 'node:crypto';
import { toAppError } from '@quicksale/shared/errors';
import {
  addressKey,
  rateLimited,
  rateLimitHeaders,
  type RateLimiter,
} from '@quicksale/shared/limits';
import { emailKey } from '../users/user.ts';

export interface LoginLimiters {
  attempts: RateLimiter;
  /** Over a longer time; only failures in a row count, so whoever knows the password never meets it. */
  failures: RateLimiter;
}

/**
 * Does `work` unless this address has tried this account too often: a guesser is slowed down, and
 * further after many failures in a row; the owner elsewhere is not locked out. Work that was refused
 * as unavailable costs no point.
 */
export async function withinLoginLimit<T>(
  { attempts, failures }: LoginLimiters,
  attempt: { ip: string; email: string; setHeader: (name: string, value: string) => void },
  work: () => Promise<T>,
): Promise<T> {
  const account = createHash('sha256').update(emailKey(attempt.email)).digest('base64url');
  const key = `${addressKey(attempt.ip)}:${account}`;
  // Points are taken before the work: of many guesses at once none is judged by an old count.
  for (const limiter of [attempts, failures]) {
    const decision = await limiter.take(key);
    if (limiter === attempts || !decision.allowed)
      for (const [name, value] of Object.entries(rateLimitHeaders(limiter.policy, decision)))
        attempt.setHeader(name, value);
    if (!decision.allowed) throw rateLimited(decision);
  }
  try {
    const done = await work();
    await failures.reset(key);
    return done;
  } catch (error) {
    if (toAppError(error).kind === 'unavailable')
      await Promise.all([attempts.giveBack(key), failures.giveBack(key)]);
    throw error;
  }
}
