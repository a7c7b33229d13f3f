export { createBulkhead, type Bulkhead, type BulkheadOptions } from './bulkhead.ts';
export { addressKey } from './client-key.ts';
export { limitRequests, type RateSubject } from './limit-requests.ts';
export {
  connectLimitStore,
  createMemoryRateLimiter,
  createRateLimiter,
  rateLimited,
  type RateLimiter,
} from './rate-limiter.ts';
export {
  rateLimitField,
  rateLimitHeaders,
  type RateDecision,
  type RateLimit,
  type RatePolicy,
} from './rate-policy.ts';
