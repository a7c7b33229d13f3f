import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServers, type Servers } from '@quicksale/local-stack';
import { createMemoryBus, type MemoryBus } from '@quicksale/shared/bus';
import { loadConfig } from '@quicksale/shared/config';
import { roles, type Role } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import {
  createMongoOrderStore,
  orderFromHold,
  type Order,
  type OrderFacts,
} from '@quicksale/shared/orders';
import {
  connectRedisServers,
  type RedisConnection,
  type RedisServers,
} from '@quicksale/shared/redis';
import {
  createRedisStockLedger,
  ledgerKeys,
  type LedgerKeys,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { testNamespace } from '@quicksale/shared/testing';
import { config as configTable } from '../src/config.ts';
import { buildService, type Overrides } from '../src/service.ts';

export const objectId = (): string => randomBytes(12).toString('hex');
const hash = () => randomBytes(32).toString('hex');

/** One line of the service's log. */
export type LogLine = Record<string, unknown> & { level: string; msg: string };

export interface InventoryFixture {
  service: ReturnType<typeof buildService>;
  bus: MemoryBus;
  mongo: Mongo;
  redis: RedisServers;
  /** To the ledger's server; on a cluster to the master that has shard 0. */
  connection: RedisConnection;
  keys: LedgerKeys;
  ledger: StockLedger;
  lines: LogLine[];
  stop(): Promise<void>;
}

/**
 * The whole service on real stores in a namespace of its own; the bus is in memory. Most tests change
 * stores by hand, which an auditor would report and mend.
 */
export async function startInventory(
  env: Readonly<Record<string, string | undefined>> = process.env,
  namespace = testNamespace('inventory'),
  audit: NonNullable<Overrides['audit']> = 'off',
): Promise<InventoryFixture> {
  const config = loadConfig(configTable, {
    // Tests that fence a sale want to see what a fenced one answers.
    QUICKSALE_REPAIRS_OFF: 'rebuild',
    ...env,
    NAMESPACE: namespace,
    INVENTORY_SERVICE_PORT: '0',
    INVENTORY_SERVICE_ADMIN_PORT: '0',
    INTERNAL_KEY: 'an internal key of a test',
    LEDGER_SHARDS: '4',
  });
  const lines: LogLine[] = [];
  const log = createLogger(
    { service: 'inventory-service', level: 'info' },
    { write: (line) => void lines.push(JSON.parse(line) as LogLine) },
  );
  const bus = createMemoryBus({ log, policy: { tries: 2, firstDelayMs: 5, longestDelayMs: 50 } });
  const still = { name: 'bus', start: async () => undefined, stop: async () => undefined };
  const service = buildService(config, log, {
    bus: { ...bus, ...still },
    verifyAccessToken: verifyTestToken,
    audit,
  });
  const mongo = connectMongo({ url: config.mongoUrl, namespace, log });
  const redis = connectRedisServers({ url: config.ledgerUrl, name: 'test', log });
  const stop = async () => {
    await service.stop();
    await Promise.all([mongo.stop(), redis.stop()]);
  };
  try {
    await Promise.all([service.start(), mongo.start(), redis.start()]);
  } catch (error) {
    await stop();
    throw error;
  }
  const keys = ledgerKeys(namespace, config.ledgerShards);
  return {
    service,
    bus,
    mongo,
    redis,
    connection: redis.serverOf(keys.shardCount),
    keys,
    ledger: createRedisStockLedger({ connection: redis, keys }),
    lines,
    stop,
  };
}

/** `<role>.<userId>`: what a test's token says is believed. */
export const tokenFor = (role: Role, userId = objectId()): string => `${role}.${userId}`;

async function verifyTestToken(token: string) {
  const [role, userId = ''] = token.split('.');
  const known = roles.find((one) => one === role);
  if (!known) throw new AppError('unauthenticated');
  return { userId, role: known, sessionId: 's', expiresAtMs: Number.MAX_SAFE_INTEGER };
}

/** A ledger server that a test may kill, empty and start again; the other servers are shared. */
export async function startOwnLedger(): Promise<{
  env: Record<string, string | undefined>;
  servers: Servers;
  folder: string;
  stop(): Promise<void>;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'qs-inv-'));
  const servers = await startServers({
    dataDirectory: folder,
    ports: 'free',
    env: { ...process.env, REDIS_LEDGER_URL: undefined },
    report: () => undefined,
  });
  return {
    env: { ...process.env, ...servers.urls },
    servers,
    folder,
    stop: async () => {
      await servers.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** An order as order-service makes it: units taken, document written. */
export async function placeOrder(
  { ledger, mongo }: Pick<InventoryFixture, 'ledger' | 'mongo'>,
  saleId: string,
  productId: string,
  quantity = 1,
  facts: Pick<OrderFacts, 'merchantId' | 'pricing'> = {},
): Promise<Order> {
  const [digest, fingerprint] = [hash(), hash()];
  const item = { productId, sku: 's', name: 'n', quantity };
  const [reply] = await ledger.reserve(saleId, [
    {
      orderId: mongoId(),
      userId: objectId(),
      kind: 'order',
      digest,
      fingerprint,
      items: [item],
      facts: JSON.stringify({
        orderNumber: 'ORD-2026-000001',
        saleId,
        currency: 'USD',
        items: [item],
        key: 'k',
        digest,
        fingerprint,
        ...facts,
      }),
    },
  ]);
  if (reply?.status !== 'reserved') throw new Error(`not reserved: ${JSON.stringify(reply)}`);
  const order = orderFromHold(reply.record, saleId);
  const [outcome] = await createMongoOrderStore(mongo).insertMany([order]);
  if (outcome?.kind !== 'inserted') throw new Error(JSON.stringify(outcome));
  return order;
}

/** An id that says when it was made, as an order's has to. */
const mongoId = () => Math.floor(Date.now() / 1000).toString(16) + randomBytes(8).toString('hex');
