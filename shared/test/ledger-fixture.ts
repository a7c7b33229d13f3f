import { randomBytes } from 'node:crypto';
import {
  askByKey,
  connectRedis,
  connectRedisServers,
  type RedisCommand,
  type RedisConnection,
  type RedisServers,
} from '@quicksale/shared/redis';
import { createLogger } from '@quicksale/shared/log';
import {
  createRedisStockLedger,
  ledgerKeys,
  type LedgerKeys,
  type ReserveRequest,
  type SaleSettings,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { testNamespace } from '@quicksale/shared/testing';

export const objectId = (): string => randomBytes(12).toString('hex');
export const digest = (): string => randomBytes(32).toString('hex');

/** A ledger of its own on one server or on a cluster. */
export interface LedgerStore {
  servers: RedisServers;
  keys: LedgerKeys;
  ledger: StockLedger;
  /** Says that the servers were checked, for every shard; '' takes it back. */
  admit(runId?: string): Promise<void>;
  /** Every key of the namespace with its whole value. */
  dump(): Promise<Record<string, unknown>>;
  /** Takes every key of the namespace away. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export interface LedgerFixture extends LedgerStore {
  connection: RedisConnection;
}

const log = createLogger({ service: 'test', level: 'silent' });

/** An admitted ledger of its own on the real server. */
export async function openLedger(
  shards = 4,
  url = process.env.REDIS_LEDGER_URL ?? '',
): Promise<LedgerFixture> {
  const connection = connectRedis({ url, name: 'ledger', log });
  return { ...(await openLedgerOn(connection, shards)), connection };
}

/** The same on the nodes of a cluster. */
export const openLedgerCluster = async (url: string, shards: number): Promise<LedgerStore> =>
  openLedgerOn(connectRedisServers({ url, name: 'ledger', log }), shards);

async function openLedgerOn(servers: RedisServers, shardCount: number): Promise<LedgerStore> {
  const namespace = testNamespace('ledger');
  const keys = ledgerKeys(namespace, shardCount);
  const shards = Array.from({ length: shardCount }, (_, shard) => shard);
  const ask = async (commands: readonly RedisCommand[]) =>
    (await askByKey(servers, commands)).map(({ error, reply }) => {
      if (error !== undefined) throw new Error('a command failed', { cause: error });
      return reply;
    });
  const admit = async (runId?: string) => {
    const runOf = (shard: number) => runId ?? servers.serverOf(keys.admitted(shard)).runId();
    await ask(shards.map((shard) => ['set', keys.admitted(shard), runOf(shard)]));
  };
  await servers.start();
  await admit();

  async function names(): Promise<string[]> {
    const found: string[] = [];
    for (const { client } of new Set(shards.map((n) => servers.serverOf(keys.admitted(n)))))
      for await (const batch of client.scanStream({ match: `${namespace}:*`, count: 10_000 }))
        found.push(...(batch as string[]));
    return [...new Set(found)].sort();
  }

  /** How a key is read by its type, in two round trips per server. */
  const readAs: Readonly<Record<string, (key: string) => RedisCommand>> = {
    string: (key) => ['get', key],
    hash: (key) => ['hgetall', key],
    zset: (key) => ['zrange', key, '0', '-1', 'WITHSCORES'],
    list: (key) => ['lrange', key, '0', '-1'],
  };
  async function dump(): Promise<Record<string, unknown>> {
    const found = await names();
    const types = await ask(found.map((key) => ['type', key]));
    const reads = found.map((key, index) => readAs[String(types[index])]?.(key) ?? ['get', key]);
    const values = await ask(reads as RedisCommand[]);
    return Object.fromEntries(found.map((key, index) => [key, values[index]]));
  }

  const clear = async () => {
    await ask((await names()).map((key) => ['del', key]));
  };
  return {
    servers,
    keys,
    ledger: createRedisStockLedger({ connection: servers, keys }),
    admit,
    dump,
    clear,
    close: async () => {
      await clear();
      await servers.stop();
    },
  };
}

/** Settings of a live standing sale; a timed one has `opensAtMs`. */
export function saleSettings(given: Partial<SaleSettings> & { saleId: string }): SaleSettings {
  return {
    settingsVersion: 1,
    state: 'live',
    opensAtMs: 0,
    closesAtMs: 0,
    perBuyerLimit: 0,
    holdMs: 0,
    durability: 'safe',
    products: [],
    ...given,
  };
}

/** A sale in the ledger with its products and their stock; resolves to its id. */
export async function givenSale(
  { ledger }: Pick<LedgerStore, 'ledger'>,
  stock: Readonly<Record<string, number>>,
  settings: Partial<SaleSettings> = {},
): Promise<string> {
  const saleId = settings.saleId ?? objectId();
  const products = Object.keys(stock).map((productId, index) => ({
    productId,
    price: 1_000 + index,
    away: false,
  }));
  await ledger.putSale(saleSettings({ products, ...settings, saleId }), true);
  for (const [productId, units] of Object.entries(stock))
    await ledger.raise(saleId, productId, units);
  return saleId;
}

/** A buyer's request for `items`, with fresh ids where none are given. */
export function request(
  items: Readonly<Record<string, number>>,
  given: Partial<ReserveRequest> = {},
): ReserveRequest {
  return {
    orderId: objectId(),
    userId: objectId(),
    kind: 'order',
    digest: digest(),
    fingerprint: digest(),
    facts: JSON.stringify({ items: [], note: 'line\nbreak, ü, {}' }),
    items: Object.entries(items).map(([productId, quantity]) => ({ productId, quantity })),
    ...given,
  };
}
