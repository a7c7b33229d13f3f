import { unavailable } from '../errors/index.ts';
import type { RedisServers } from '../redis/index.ts';
import type { LedgerKeys } from './keys.ts';
import type { KeyLookup, KeyPlace } from './ledger.ts';

/**
 * Whether keys are known to sales: one pipeline of plain reads per sale, all sent at once. The key
 * is read after the fence: a repair that starts in between only brings keys back, so a key that is
 * missing then was missing before.
 */
export function findKeys(
  servers: RedisServers,
  keys: LedgerKeys,
  asked: readonly KeyPlace[],
): Promise<KeyLookup[]> {
  return Promise.all(
    asked.map(async ({ saleId, digest }): Promise<KeyLookup> => {
      const at = keys.sale(saleId);
      const server = servers.serverOf(at.sale);
      const runId = server.runId();
      const [admitted, sale, order] = await read(
        server.client
          .pipeline()
          .get(at.admitted)
          .hmget(at.sale, 'epoch', 'fenced')
          .get(keys.idem(saleId, digest))
          .exec(),
      );
      const [epoch, fenced] = sale as [string | null, string | null];
      if (admitted !== runId) return 'not_admitted';
      if (epoch === null) return 'unknown_sale';
      if (fenced === '1') return 'fenced';
      return order === null ? 'unknown' : 'known';
    }),
  );
}

/** A reply that is missing says nothing about a key. */
async function read(sent: Promise<[Error | null, unknown][] | null>): Promise<unknown[]> {
  try {
    const replies = (await sent) ?? [];
    for (const [error] of replies) if (error) throw error;
    return replies.map(([, reply]) => reply);
  } catch (error) {
    throw unavailable('The stock ledger is not reachable', error);
  }
}
