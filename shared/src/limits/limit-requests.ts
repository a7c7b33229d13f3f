import type { Request, RequestHandler, Response } from 'express';
import { rateLimitHeaders } from './rate-policy.ts';
import { rateLimited, type RateLimiter } from './rate-limiter.ts';

/** What one request is counted under. */
export interface RateSubject {
  limiter: RateLimiter;
  key: string;
  /** The point stays taken whatever the answer is. */
  isSpent?: boolean;
}

/**
 * Counts each request under what `subjectOf` names, if anything; those over the limit are refused
 * with 429. A request that is finally answered 503 gets its point back: buyers are told to retry.
 * A read does not, nor what is named as spent: anybody can ask for orders that might be on their
 * way, and is told 503.
 */
export function limitRequests(
  subjectOf: (req: Request, res: Response) => Promise<RateSubject | undefined>,
  onRefusal: (limiter: RateLimiter) => void = () => undefined,
): RequestHandler {
  return async (req, res, next) => {
    const subject = await subjectOf(req, res);
    if (!subject) return next();
    const { limiter, key, isSpent = false } = subject;
    const decision = await limiter.take(key);
    res.set(rateLimitHeaders(limiter.policy, decision));
    if (!decision.allowed) {
      onRefusal(limiter);
      throw rateLimited(decision);
    }
    res.once('finish', () => {
      // Nobody waits for it; a point that is not returned expires with its window.
      if (res.statusCode === 503 && !isRead(req) && !isSpent)
        limiter.giveBack(key).catch(() => undefined);
    });
    next();
  };
}

const isRead = ({ method }: Request) => method === 'GET' || method === 'HEAD';
