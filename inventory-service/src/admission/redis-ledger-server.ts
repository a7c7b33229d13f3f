import { unavailable } from '@quicksale/shared/errors';
import type { RedisConnection } from '@quicksale/shared/redis';
import type { LedgerKeys } from '@quicksale/shared/stock-ledger';
import type { LedgerServer } from './ledger-server.ts';

const keyLifeMs = 24 * 3_600_000;

export function createRedisLedgerServer(
  connection: RedisConnection,
  keys: LedgerKeys,
): LedgerServer {
  const { client } = connection;
  const shards = Array.from({ length: keys.shards }, (_, shard) => shard);
  type Pipeline = ReturnType<typeof client.pipeline>;

  /** One round trip; replies in the order of the commands. */
  async function ask(fill: (pipeline: Pipeline) => void): Promise<unknown[]> {
    const pipeline = client.pipeline();
    fill(pipeline);
    if (pipeline.length === 0) return [];
    try {
      const replies = (await pipeline.exec()) ?? [];
      return replies.map(([error, reply]) => {
        if (error) throw error;
        return reply;
      });
    } catch (error) {
      throw unavailable('The stock ledger is not reachable', error);
    }
  }

  return {
    runId: () => connection.runId(),

    isAdmitted: async (runId) => {
      const stored = await ask((pipeline) => {
        for (const shard of shards) pipeline.get(keys.admitted(shard));
      });
      return stored.every((admitted) => admitted === runId);
    },

    admit: async (runId) => {
      await ask((pipeline) => {
        for (const shard of shards) pipeline.set(keys.admitted(shard), runId);
      });
    },

    findUnknown: async (saleIds) => {
      const known = await ask((pipeline) => {
        for (const saleId of saleIds) pipeline.hexists(keys.sale(saleId).sale, 'epoch');
      });
      return saleIds.filter((_, index) => known[index] !== 1);
    },

    findMissing: async (orders) => {
      const [records, idempotencyKeys] = await Promise.all([
        ask((pipeline) => {
          for (const { saleId, id } of orders) pipeline.hexists(keys.sale(saleId).holds, id);
        }),
        ask((pipeline) => {
          for (const { saleId, idempotencyDigest } of orders)
            pipeline.exists(keys.idem(saleId, idempotencyDigest ?? ''));
        }),
      ]);
      return {
        records: orders.filter((_, index) => records[index] !== 1),
        keys: orders.filter(
          ({ idempotencyDigest }, index) => idempotencyDigest && idempotencyKeys[index] !== 1,
        ),
      };
    },

    restoreKeys: async (orders, now) => {
      await ask((pipeline) => {
        for (const { id, saleId, idempotencyDigest, requestFingerprint, createdAt } of orders) {
          if (!idempotencyDigest) continue;
          const leftMs = keyLifeMs - (now.getTime() - createdAt.getTime());
          const seconds = Math.min(Math.max(Math.ceil(leftMs / 1000), 1), keyLifeMs / 1000);
          const key = keys.idem(saleId, idempotencyDigest);
          pipeline.set(key, `${id} ${requestFingerprint}`, 'EX', seconds, 'NX');
        }
      });
    },

    fence: async (saleIds) => {
      await ask((pipeline) => {
        for (const saleId of saleIds) pipeline.hset(keys.sale(saleId).sale, 'fenced', '1');
      });
    },
  };
}
