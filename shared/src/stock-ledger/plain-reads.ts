import { askByKey, type RedisServers } from '../redis/index.ts';
import { parseHoldRecord, type HoldRecord } from './hold-record.ts';
import type { LedgerKeys } from './keys.ts';
import type { SaleState } from './ledger.ts';

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
