import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisConnection, RedisServers } from '../redis/index.ts';
import type { LedgerKeys } from './keys.ts';

/**
 * Refuses to go on with another number of shards than the ledger was made with: a sale would be
 * looked for under keys that are not its own. Waits while the server is away.
 */
export async function checkShardCount(
  connection: RedisServers,
  keys: Pick<LedgerKeys, 'shards' | 'shardCount'>,
): Promise<void> {
  for (;;) {
    let client: RedisConnection['client'] | undefined;
    try {
      ({ client } = connection.serverOf(keys.shardCount));
      await client.set(keys.shardCount, String(keys.shards), 'NX');
      const stored = await client.get(keys.shardCount);
      if (stored === String(keys.shards)) return;
      throw new ShardCountError(keys.shards, String(stored));
    } catch (error) {
      // Stopped meanwhile: nobody needs the answer.
      if (error instanceof ShardCountError || client?.status === 'end') throw error;
      await sleep(100);
    }
  }
}

class ShardCountError extends Error {
  constructor(given: number, stored: string) {
    super(`LEDGER_SHARDS is ${given}, but this ledger was made with ${stored}; it cannot change`);
    this.name = 'ShardCountError';
  }
}
