import type { Request, RequestHandler, Response } from 'express';
import type { Counter } from '@prometheus-io/client';
import type { VerifyAccessToken } from '@quicksale/shared/auth';
import {
  addressKey,
  createMemoryRateLimiter,
  createRateLimiter,
  limitRequests,
  type RateLimiter,
} from '@quicksale/shared/limits';
import type { RedisConnection } from '@quicksale/shared/redis';
import type { GatewayConfig } from '../config.ts';
import type { Destination } from '../proxy/routing-table.ts';
import { identifyCaller, type Caller } from './identify-caller.ts';

export interface RequestLimitsOptions {
  config: GatewayConfig;
  store: RedisConnection;
  verify: VerifyAccessToken;
  refusals: Counter<'policy'>;
}

/** What earlier middleware found out about a request. */
export interface RequestLocals {
  destination: Destination;
  caller: Caller;
}

/** The middleware that counts requests; it needs `locals.destination`. */
export function requestLimits(options: RequestLimitsOptions): readonly RequestHandler[] {
  const { config, store, verify, refusals } = options;
  const { namespace } = config;
  const create = (name: string, limit: GatewayConfig['defaultLimit']) =>
    createRateLimiter({ store, namespace, policy: { name, ...limit } });
  const limiters = {
    orders: create('orders', config.ordersLimit),
    reserve: create('reserve', config.reserveLimit),
    register: create('register', config.registerLimit),
    default: create('default', config.defaultLimit),
  };
  // In memory: it keeps those who only guess away from Redis.
  const strangers = createMemoryRateLimiter({ name: 'strangers', ...config.strangersLimit });
  // Also in memory: readers of pages, who may share an address, take nothing from those who buy.
  const pages = createMemoryRateLimiter({ name: 'pages', ...config.pagesLimit });
  // And providers of payments, who have few addresses and tell of all buyers.
  const webhooks = createMemoryRateLimiter({ name: 'webhooks', ...config.webhooksLimit });
  const onRefusal = (limiter: RateLimiter) => refusals.inc({ policy: limiter.policy.name });

  const identify: RequestHandler = async (req, res, next) => {
    localsOf(res).caller = await identifyCaller(req, verify);
    next();
  };
  // Many buyers share one address: only those without a valid token share a limit for it.
  const limitStrangers = limitRequests(async (req, res) => {
    const { destination, caller } = localsOf(res);
    if (!destination.needsToken || caller.kind !== 'stranger') return undefined;
    return { limiter: strangers, key: addressOf(req) };
  }, onRefusal);
  const limitAll = limitRequests(async (req, res) => {
    const { destination, caller } = localsOf(res);
    if (destination.upstream === 'pages') return { limiter: pages, key: addressOf(req) };
    if (destination.path.startsWith('/api/payments/webhook/'))
      return { limiter: webhooks, key: addressOf(req) };
    const name = policyFor(req.method, destination.path);
    const isByUser = caller.kind === 'user' && name !== 'register';
    return {
      limiter: limiters[name],
      key: isByUser ? `user:${caller.userId}` : addressOf(req),
      isSpent: namesOrder(destination.path),
    };
  }, onRefusal);
  return [identify, limitStrangers, limitAll];
}

/** Ids can be made up, and one of an order that might still be on its way is answered 503. */
const namesOrder = (path: string) =>
  path.startsWith('/api/orders/') || path.startsWith('/api/payments/');

/** The policy of a request. Logins are limited by auth-service, which knows the account. */
export function policyFor(
  method: string,
  path: string,
): 'orders' | 'reserve' | 'register' | 'default' {
  if (method !== 'POST') return 'default';
  switch (path) {
    case '/api/orders':
    case '/api/cart/checkout':
      return 'orders';
    case '/api/inventory/reserve':
      return 'reserve';
    case '/api/auth/register':
      return 'register';
    default:
      return 'default';
  }
}

export const localsOf = (res: Response) => res.locals as RequestLocals & { requestId: string };

const addressOf = (req: Request) => addressKey(req.ip ?? '');
