import {
  field,
  integer,
  list,
  processFields,
  publicPort,
  tokenFields,
  url,
  workRedisFields,
  type Config,
} from '@quicksale/shared/config';
import { rateLimitField } from '@quicksale/shared/limits';

const upstream = (env: string, port: number, doc: string) =>
  field(env, url(`http://127.0.0.1:${port}`), doc, `http://127.0.0.1:${port}`);

const atLeastOne = (fallback: number) =>
  integer(fallback).refine((value) => value > 0, 'must be at least 1');

/** What gateway reads from its environment. */
export const config = {
  ...processFields('GATEWAY', 9000),
  port: publicPort('GATEWAY', 3000).port,
  // Not TRUST_PROXY_HOPS: the services have one proxy in front, the gateway itself. A file that all
  // processes share would make the gateway believe every client's own X-Forwarded-For.
  trustProxyHops: field(
    'GATEWAY_TRUST_PROXY_HOPS',
    integer(0, 10),
    'Proxies in front of the gateway whose X-Forwarded-For is believed',
    '0',
  ),
  maxConnections: field(
    'GATEWAY_MAX_CONNECTIONS',
    atLeastOne(20_000),
    'Connections that the gateway holds at the same time; further ones are closed',
    '20000',
  ),
  maxConnectionsPerAddress: field(
    'GATEWAY_MAX_CONNECTIONS_PER_ADDRESS',
    atLeastOne(10_000),
    'The same per IPv4 address or IPv6 /64: high, since a campus, or a load test, comes from one address. It does not apply with proxies in front, whose connections they are',
    '10000',
  ),
  ...workRedisFields,
  ...tokenFields,
  authServiceUrl: upstream('AUTH_SERVICE_URL', 3001, 'Where auth-service listens'),
  inventoryServiceUrl: upstream('INVENTORY_SERVICE_URL', 3002, 'Where inventory-service listens'),
  orderServiceUrl: upstream('ORDER_SERVICE_URL', 3003, 'Where order-service listens'),
  notifierServiceUrl: upstream('NOTIFIER_SERVICE_URL', 3004, 'Where notifier-service listens'),
  corsOrigins: field(
    'CORS_ORIGINS',
    list(''),
    'Origins whose pages may call the API, comma separated; none when empty',
    'https://shop.example',
  ),
  wsOrigins: field(
    'WS_ORIGINS',
    list(''),
    'Origins whose pages may open a WebSocket, comma separated; none when empty',
    'http://localhost:3000',
  ),
  registerLimit: rateLimitField(
    'RATE_LIMIT_REGISTER',
    '3/60',
    'Registrations per address, as points/seconds',
  ),
  ordersLimit: rateLimitField(
    'RATE_LIMIT_ORDERS',
    '10/60',
    'POST /api/orders per user, as points/seconds',
  ),
  reserveLimit: rateLimitField(
    'RATE_LIMIT_RESERVE',
    '50/60',
    'Reservations per user, as points/seconds',
  ),
  defaultLimit: rateLimitField(
    'RATE_LIMIT_DEFAULT',
    '100/60',
    'All other requests per user, else per address, as points/seconds',
  ),
  pagesLimit: rateLimitField(
    'RATE_LIMIT_PAGES',
    '600/60',
    'Pages and what they load, per address, as points/seconds',
  ),
  webhooksLimit: rateLimitField(
    'RATE_LIMIT_WEBHOOKS',
    '6000/60',
    'News from payment providers, per address, as points/seconds',
  ),
  strangersLimit: rateLimitField(
    'RATE_LIMIT_STRANGERS',
    '60/60',
    'Requests without a valid token, per address, where one is needed, as points/seconds',
  ),
};

export type GatewayConfig = Config<typeof config>;
