import { createHash } from 'node:crypto';
import { toAppError } from '@quicksale/shared/errors';
import {
  addressKey,
  rateLimited,
  rateLimitHeaders,
  type RateLimiter,
} from '@quicksale/shared/limits';
import { emailKey } from '../users/user.ts';

/**
 * Does `work` unless this address has tried this account too often: a guesser is slowed down, the
 * owner elsewhere is not locked out. Work that was refused as unavailable costs no point.
 */
export async function withinLoginLimit<T>(
  limiter: RateLimiter,
  attempt: { ip: string; email: string; setHeader: (name: string, value: string) => void },
  work: () => Promise<T>,
): Promise<T> {
  const account = createHash('sha256').update(emailKey(attempt.email)).digest('base64url');
  const key = `${addressKey(attempt.ip)}:${account}`;
  const decision = await limiter.take(key);
  for (const [name, value] of Object.entries(rateLimitHeaders(limiter.policy, decision)))
    attempt.setHeader(name, value);
  if (!decision.allowed) throw rateLimited(decision);
  try {
    return await work();
  } catch (error) {
    if (toAppError(error).kind === 'unavailable') await limiter.giveBack(key);
    throw error;
  }
}
