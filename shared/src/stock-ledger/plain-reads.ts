import { unavailable } from '../errors/index.ts';
import { askByKey, type RedisServers } from '../redis/index.ts';
import { parseHoldRecord, type HoldRecord } from './hold-record.ts';
import type { LedgerKeys } from './keys.ts';
import type { PricedStock, SaleState, ShownStock } from './ledger.ts';

/** Entries that one command looks at: it must not keep the server busy. */
const entriesPerRead = 1_000;
const recordsPerRead = 200;

/**
 * How sales stand: two reads for each, in one pipeline per server. The run id is read before the
 * sale, of the server that is asked: what it says then can be believed.
 */
export async function saleStates(
  servers: RedisServers,
  keys: LedgerKeys,
  saleIds: readonly string[],
): Promise<SaleState[]> {
  const shards = [...new Set(saleIds.map(keys.shardOf))];
  const runIds = new Map(shards.map((shard) => [shard, runIdOf(servers, keys.admitted(shard))]));
  const answers = await askByKey(servers, [
    ...shards.map((shard) => ['get', keys.admitted(shard)] as const),
    ...saleIds.map((saleId) => ['hmget', keys.sale(saleId).sale, 'epoch', 'fenced'] as const),
  ]);
  const admitted = new Map(shards.map((shard, index) => [shard, answers[index]?.reply]));
  return saleIds.map((saleId, index): SaleState => {
    const shard = keys.shardOf(saleId);
    const { error, reply } = answers[shards.length + index] ?? {};
    const runId = runIds.get(shard);
    if (error !== undefined || runId === undefined || admitted.get(shard) !== runId)
      return 'not_admitted';
    const [epoch, fenced] = reply as [string | null, string | null];
    if (epoch === null) return 'unknown_sale';
    return fenced === '1' ? 'fenced' : 'live';
  });
}

function runIdOf(servers: RedisServers, key: string): string | undefined {
  try {
    return servers.serverOf(key).runId();
  } catch {
    return undefined;
  }
}

/** The entries of one sale among those of its shard. */
export async function markedOrders(
  servers: RedisServers,
  keys: LedgerKeys,
  saleId: string,
): Promise<{ due: string[]; unrecorded: string[] }> {
  const at = keys.sale(saleId);
  const prefix = `${saleId}/`;
  const scan = async (key: string) => {
    const { client } = servers.serverOf(key);
    const found = new Set<string>();
    let cursor = '0';
    do {
      const [next, flat] = await client.zscan(
        key,
        cursor,
        'MATCH',
        `${prefix}*`,
        'COUNT',
        entriesPerRead,
      );
      for (let index = 0; index < flat.length; index += 2)
        found.add((flat[index] ?? '').slice(prefix.length));
      cursor = next;
    } while (cursor !== '0');
    return [...found];
  };
  return { due: await scan(at.due), unrecorded: await scan(at.unrecorded) };
}

export async function peekHolds(
  servers: RedisServers,
  keys: LedgerKeys,
  { saleId, orderIds }: { saleId: string; orderIds: readonly string[] },
): Promise<(HoldRecord | undefined)[]> {
  const { holds } = keys.sale(saleId);
  const records: (HoldRecord | undefined)[] = [];
  for (let from = 0; from < orderIds.length; from += recordsPerRead) {
    const ids = orderIds.slice(from, from + recordsPerRead);
    const stored = await servers.serverOf(holds).client.hmget(holds, ...ids);
    ids.forEach((id, index) => {
      const text = stored[index];
      records.push(text == null ? undefined : parseHoldRecord(id, text));
    });
  }
  return records;
}

interface Place {
  saleId: string;
  productId: string;
}

/** Fields of the hashes of products, in one pipeline per server. */
const countersOf = (keys: LedgerKeys, products: readonly Place[], counters: readonly string[]) =>
  products.map(
    ({ saleId, productId }) =>
      [
        'hmget',
        keys.sale(saleId).stock,
        ...counters.map((counter) => `${productId}:${counter}`),
      ] as const,
  );

type Counter = string | null | undefined;

/** Stock as pages show it: that of servers that are away is not known. */
export async function shownStock(
  servers: RedisServers,
  keys: LedgerKeys,
  products: readonly Place[],
): Promise<(ShownStock | null)[]> {
  const counters = ['last', 'gone', 'available'];
  const lines = await askByKey(servers, countersOf(keys, products, counters));
  const failed = lines.filter((line) => line.error !== undefined);
  if (failed.length > 0 && failed.length === lines.length)
    throw unavailable('The stock ledger is not reachable', failed[0]?.error);
  return lines.map((line) => (line.error === undefined ? asShown(line.reply as Counter[]) : null));
}

/** Price and stock of what can be ordered: whoever does not know all of it must ask again. */
export async function pricedStock(
  servers: RedisServers,
  keys: LedgerKeys,
  products: readonly Place[],
): Promise<(PricedStock | null)[]> {
  const counters = ['last', 'gone', 'available', 'price', 'away'];
  const sales = [...new Set(products.map(({ saleId }) => saleId))];
  const answers = await askByKey(servers, [
    ...countersOf(keys, products, counters),
    ...sales.map((saleId) => ['hget', keys.sale(saleId).sale, 'state'] as const),
  ]);
  for (const { error } of answers)
    if (error !== undefined) throw unavailable('The stock ledger is not reachable', error);
  const states = new Map(
    sales.map((saleId, index) => [saleId, answers[products.length + index]?.reply]),
  );
  return products.map(({ saleId }, index) => {
    const [last, gone, available, price, away] = answers[index]?.reply as Counter[];
    const stock = asShown([last, gone, available]);
    const isSold = price != null && away !== '1' && states.get(saleId) !== 'closed';
    return stock && isSold ? { ...stock, price: Number(price) } : null;
  });
}

function asShown([last, gone, left]: readonly Counter[]): ShownStock | null {
  if (last == null) return null;
  const stock = Number(last) - Number(gone);
  return { stock, reserved: stock - Number(left), available: Number(left) };
}
