import { readFileSync } from 'node:fs';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../errors/index.ts';
import type { Logger } from '../log/index.ts';
import { connectRedis, type RedisConnection } from '../redis/index.ts';
import type { RateDecision, RatePolicy } from './rate-policy.ts';

/** Longest that a request waits for Redis before the limits of this process's memory decide. */
const storeLimitMs = 250;

const countRequest = readFileSync(new URL('./scripts/count-request.lua', import.meta.url), 'utf8');

/** One policy, counted per key over all processes that share the work Redis. */
export interface RateLimiter {
  policy: RatePolicy;
  /** Takes a point. Never throws: without Redis this process counts by itself. */
  take(key: string): Promise<RateDecision>;
  /** Returns a point, for a request that was answered 503. */
  giveBack(key: string): Promise<void>;
  /** Returns all points that were taken in this window. */
  reset(key: string): Promise<void>;
}

/**
 * The connection that limits are counted on. A service works without it, so its start does not wait
 * for it and its absence does not make the service unready.
 */
export function connectLimitStore(options: { url: string; log: Logger }): RedisConnection {
  const redis = connectRedis({ ...options, name: 'limits', commandTimeoutMs: storeLimitMs });
  return {
    name: redis.name,
    client: redis.client,
    runId: redis.runId,
    serverOf: redis.serverOf,
    onConnected: redis.onConnected,
    start: () => {
      void redis.start();
      return Promise.resolve();
    },
    stop: redis.stop,
  };
}

/** A limiter over the work Redis; while that is away this process's memory counts instead. */
export function createRateLimiter(options: {
  store: RedisConnection;
  namespace: string;
  policy: RatePolicy;
}): RateLimiter {
  const { policy, namespace } = options;
  const limits = toLibrary(policy);
  const limiter = new RateLimiterRedis({
    ...limits,
    keyPrefix: `${namespace && `${namespace}:`}limit:${policy.name}`,
    storeClient: options.store.client,
    customIncrTtlLuaScript: countRequest,
    rejectIfRedisNotReady: true,
    // Whoever is over the limit costs no further call to Redis until the window ends.
    inMemoryBlockOnConsumed: policy.points + 1,
    insuranceLimiter: new RateLimiterMemory(limits),
  });
  return {
    policy,
    take: (key) => decide(limiter.consume(key)),
    giveBack: async (key) => {
      await limiter.reward(key);
      // The key may be blocked in memory; the library can lift that for all keys or none.
      limiter.deleteInMemoryBlockedAll();
    },
    reset: async (key) => {
      await limiter.delete(key);
    },
  };
}

/** A limiter that counts in this process alone. */
export function createMemoryRateLimiter(policy: RatePolicy): RateLimiter {
  const limiter = new RateLimiterMemory(toLibrary(policy));
  return {
    policy,
    take: (key) => decide(limiter.consume(key)),
    giveBack: async (key) => {
      await limiter.reward(key);
    },
    reset: async (key) => {
      await limiter.delete(key);
    },
  };
}

const toLibrary = (policy: RatePolicy) => ({
  points: policy.points,
  duration: policy.windowSeconds,
});

async function decide(consumed: Promise<RateLimiterRes>): Promise<RateDecision> {
  try {
    return toDecision(await consumed, true);
  } catch (refusal) {
    // The library rejects with a plain result; anything else is a defect.
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    return toDecision(refusal, false);
  }
}

/** The refusal of a request that is over its limit. */
export function rateLimited(decision: RateDecision): AppError {
  return new AppError('rate-limited', { retryAfterSeconds: decision.resetSeconds });
}

function toDecision(result: RateLimiterRes, allowed: boolean): RateDecision {
  return {
    allowed,
    remaining: allowed ? result.remainingPoints : 0,
    resetSeconds: Math.max(1, Math.ceil(result.msBeforeNext / 1000)),
  };
}
