import { randomBytes } from 'node:crypto';
import { connectRedis, type RedisConnection } from '@quicksale/shared/redis';
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

export interface LedgerFixture {
  connection: RedisConnection;
  keys: LedgerKeys;
  ledger: StockLedger;
  /** Says that this server was checked, for every shard; '' takes it back. */
  admit(runId?: string): Promise<void>;
  /** Every key of the namespace with its whole value. */
  dump(): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

/** An admitted ledger of its own on the real server. */
export async function openLedger(shards = 4): Promise<LedgerFixture> {
  const namespace = testNamespace('ledger');
  const connection = connectRedis({
    url: process.env.REDIS_LEDGER_URL ?? '',
    name: 'ledger',
    log: createLogger({ service: 'test', level: 'silent' }),
  });
  await connection.start();
  const { client } = connection;
  const keys = ledgerKeys(namespace, shards);
  const admit = async (runId = connection.runId()) => {
    for (let shard = 0; shard < shards; shard += 1) await client.set(keys.admitted(shard), runId);
  };
  await admit();

  async function names(): Promise<string[]> {
    const found: string[] = [];
    for await (const batch of client.scanStream({ match: `${namespace}:*`, count: 1_000 }))
      found.push(...(batch as string[]));
    return [...new Set(found)].sort();
  }

  /** Every key of the namespace with its whole value, in two round trips. */
  async function dump(): Promise<Record<string, unknown>> {
    const found = await names();
    const types = client.pipeline();
    for (const key of found) types.type(key);
    const kinds = (await types.exec())?.map(([, kind]) => kind) ?? [];
    const values = client.pipeline();
    found.forEach((key, index) => {
      if (kinds[index] === 'string') values.get(key);
      else if (kinds[index] === 'hash') values.hgetall(key);
      else if (kinds[index] === 'zset') values.zrange(key, 0, '-1', 'WITHSCORES');
      else values.lrange(key, 0, -1);
    });
    const read = (await values.exec()) ?? [];
    return Object.fromEntries(found.map((key, index) => [key, read[index]?.[1]]));
  }

  return {
    connection,
    keys,
    ledger: createRedisStockLedger({ connection, keys }),
    admit,
    dump,
    close: async () => {
      const left = await names();
      if (left.length > 0) await client.del(...left);
      await connection.stop();
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
  { ledger }: LedgerFixture,
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
