import { unavailable } from '@quicksale/shared/errors';
import { askByKey, type RedisCommand, type RedisServers } from '@quicksale/shared/redis';
import { unitsByProduct, type LedgerKeys } from '@quicksale/shared/stock-ledger';
import type { LedgerServer, ShardRun } from './ledger-server.ts';
import { ownsUnits } from './recent-orders.ts';

const keyLifeMs = 24 * 3_600_000;

export function createRedisLedgerServer(servers: RedisServers, keys: LedgerKeys): LedgerServer {
  const shards = Array.from({ length: keys.shards }, (_, shard) => shard);
  const away = (error: unknown) => unavailable('The stock ledger is not reachable', error);

  /** One round trip; replies in the order of the commands. */
  async function ask(commands: readonly RedisCommand[]): Promise<unknown[]> {
    const answers = await askByKey(servers, commands);
    return answers.map((answer) => {
      if (answer.error !== undefined) throw away(answer.error);
      return answer.reply;
    });
  }

  /** Before anything is asked of the server: what is found out then is of this run or a later one. */
  function runOf(shard: number): ShardRun[] {
    try {
      return [{ shard, runId: servers.serverOf(keys.admitted(shard)).runId() }];
    } catch {
      return [];
    }
  }

  return {
    findUnchecked: async () => {
      const runs = shards.flatMap(runOf);
      const answers = await askByKey(
        servers,
        runs.map(({ shard }) => ['get', keys.admitted(shard)]),
      );
      const seen = runs.flatMap((run, index) => {
        const { error, reply } = answers[index] ?? {};
        return error === undefined ? [{ ...run, admitted: reply }] : [];
      });
      if (seen.length === 0) throw away(answers[0]?.error);
      const unchecked = new Set(
        seen.filter(({ runId, admitted }) => admitted !== runId).map(({ runId }) => runId),
      );
      return seen.filter(({ runId }) => unchecked.has(runId));
    },

    shardOf: keys.shardOf,

    admit: async (runs) => {
      await ask(runs.map(({ shard, runId }) => ['set', keys.admitted(shard), runId]));
    },

    findForgotten: async (sales) => {
      const found = await ask(
        sales.map(({ saleId }) => ['hmget', keys.sale(saleId).sale, 'epoch', 'settingsVersion']),
      );
      const unknown: string[] = [];
      const outdated: string[] = [];
      sales.forEach(({ saleId, putVersion }, index) => {
        const [epoch, version] = found[index] as (string | null)[];
        if (!epoch) unknown.push(saleId);
        else if (Number(version) < putVersion) outdated.push(saleId);
      });
      return { unknown, outdated };
    },

    findMissing: async (orders) => {
      const owning = orders.filter(ownsUnits);
      const [records, idempotencyKeys] = await Promise.all([
        ask(owning.map(({ saleId, id }) => ['hexists', keys.sale(saleId).holds, id])),
        ask(
          orders.map(({ saleId, idempotencyDigest }) => [
            'exists',
            keys.idem(saleId, idempotencyDigest ?? ''),
          ]),
        ),
      ]);
      return {
        records: owning.filter((_, index) => records[index] !== 1),
        keys: orders.filter(
          ({ idempotencyDigest }, index) => idempotencyDigest && idempotencyKeys[index] !== 1,
        ),
      };
    },

    findForSale: async (orders) => {
      const owned = orders.flatMap((order) =>
        Object.entries(unitsByProduct(order.units)).flatMap(([productId, numbers]) =>
          numbers.map((number) => ({ order, productId, number })),
        ),
      );
      const [next, free] = await Promise.all([
        ask(
          owned.map(({ order: { saleId }, productId }) => [
            'hget',
            keys.sale(saleId).stock,
            `${productId}:next`,
          ]),
        ),
        ask(
          owned.map(({ order: { saleId }, productId, number }) => [
            'zscore',
            keys.free(saleId, productId),
            String(number),
          ]),
        ),
      ]);
      const forSale = owned.filter(
        ({ number }, index) => number >= Number(next[index] ?? 0) || free[index] !== null,
      );
      return [...new Set(forSale.map(({ order }) => order))];
    },

    restoreKeys: async (orders, now) => {
      await ask(
        orders.flatMap(
          ({ id, saleId, idempotencyDigest, requestFingerprint, createdAt }): RedisCommand[] => {
            if (!idempotencyDigest) return [];
            const leftMs = keyLifeMs - (now.getTime() - createdAt.getTime());
            const seconds = Math.min(Math.max(Math.ceil(leftMs / 1000), 1), keyLifeMs / 1000);
            const key = keys.idem(saleId, idempotencyDigest);
            return [['set', key, `${id} ${requestFingerprint}`, 'EX', seconds, 'NX']];
          },
        ),
      );
    },

    fence: async (saleIds) => {
      await ask(saleIds.map((saleId) => ['hset', keys.sale(saleId).sale, 'fenced', '1']));
    },
  };
}
