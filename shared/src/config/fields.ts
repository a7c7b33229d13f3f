import { z } from 'zod';
import { faultPoints } from '../process/fault-point.ts';
import { repairs } from '../process/repairs.ts';
import { field } from './define-config.ts';

const digits = (max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value <= max, `must be at most ${max}`);

/** A whole number with a default; malformed values are refused, never replaced. */
export const integer = (fallback: number, max = 1_000_000_000) => digits(max).default(fallback);
export const port = (fallback: number) => digits(65_535).default(fallback);
export const text = (fallback: string) => z.string().default(fallback);
export const url = (fallback: string) => z.url('must be a URL').default(fallback);
/** `a,b,c` as a list; empty items are dropped. */
export const list = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((value) =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    );

/** What every process needs. `service` is its name in environment variables: `ORDER_SERVICE`. */
export const processFields = (service: string, adminPort: number) => ({
  namespace: field(
    'NAMESPACE',
    z
      .string()
      .regex(/^[a-z0-9_]{0,40}$/, 'at most 40 of a-z 0-9 _')
      .default(''),
    'Stands before every key, topic, group and database name, so that several systems can share servers',
  ),
  logLevel: field(
    'LOG_LEVEL',
    z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
    'Least severe level that is logged',
    'info',
  ),
  host: field('HOST', text('127.0.0.1'), 'Address that every port listens on', '127.0.0.1'),
  adminPort: field(
    `${service}_ADMIN_PORT`,
    port(adminPort),
    'Health, metrics and internal routes; 0 takes a free port',
    String(adminPort),
  ),
  internalKey: field(
    'INTERNAL_KEY',
    z.string().min(16, 'at least 16 characters'),
    'Secret that guards /internal/* on the admin ports',
  ),
  fault: field(
    'QUICKSALE_FAULT',
    z.enum(faultPoints).optional(),
    'For tests only: the point at which the process kills itself',
  ),
  repairsOff: field(
    'QUICKSALE_REPAIRS_OFF',
    list('').pipe(z.array(z.enum(repairs))),
    'For tests only: repairs that do not run, comma separated',
  ),
});

/** Admin port of another process, for its internal routes. */
export const adminUrl = (service: string, port: number) =>
  field(
    `${service}_ADMIN_URL`,
    url(`http://127.0.0.1:${port}`),
    `Admin port of ${service.toLowerCase().replace('_', '-')}, for its internal routes`,
    `http://127.0.0.1:${port}`,
  );

export const publicPort = (service: string, number: number) => ({
  port: field(`${service}_PORT`, port(number), 'Public port; 0 takes a free port', String(number)),
  trustProxyHops: field(
    'TRUST_PROXY_HOPS',
    integer(1, 10),
    'Proxies in front of a service whose X-Forwarded-For is believed (the gateway adds one itself)',
    '1',
  ),
});

export const mongoFields = {
  mongoUrl: field(
    'MONGO_URL',
    z.string().regex(/^mongodb(\+srv)?:\/\//, 'must start with mongodb://'),
    'MongoDB or a server that speaks its protocol',
    'mongodb://127.0.0.1:27017/',
  ),
};

const redisUrl = z.string().regex(/^rediss?:\/\//, 'must start with redis://');

export const workRedisFields = {
  redisUrl: field(
    'REDIS_URL',
    redisUrl,
    'Work Redis: rate limits, sequence numbers, pub/sub',
    'redis://127.0.0.1:6379',
  ),
};

export const ledgerRedisFields = {
  ledgerUrl: field(
    'REDIS_LEDGER_URL',
    z
      .string()
      .regex(
        /^rediss?:\/\/[^,\s]+(,rediss?:\/\/[^,\s]+)*$/,
        'must be redis://host:port, or several, comma separated',
      ),
    'Ledger Redis: stock and holds (appendfsync always, noeviction); nodes of a Redis Cluster: redis://a:1,redis://b:2',
    'redis://127.0.0.1:6380',
  ),
  ledgerShards: field(
    'LEDGER_SHARDS',
    digits(1024)
      .refine((value) => value > 0, 'must be at least 1')
      .default(16),
    'Shards of the ledger; fixed for the life of a ledger',
    '16',
  ),
};

export const kafkaFields = {
  kafkaBrokers: field(
    'KAFKA_BROKERS',
    z
      .string()
      .transform((value) => value.split(',').filter(Boolean))
      .refine((brokers) => brokers.length > 0, 'at least one host:port'),
    'Kafka brokers, comma separated',
    '127.0.0.1:9092',
  ),
};

export const tokenFields = {
  jwksUrl: field(
    'JWKS_URL',
    url('http://127.0.0.1:3001/.well-known/jwks.json'),
    'Public keys that access tokens are verified with',
    'http://127.0.0.1:3001/.well-known/jwks.json',
  ),
  jwtIssuer: field('JWT_ISSUER', text('quicksale'), 'Required iss of access tokens', 'quicksale'),
  jwtAudience: field(
    'JWT_AUDIENCE',
    text('quicksale'),
    'Required aud of access tokens',
    'quicksale',
  ),
};
