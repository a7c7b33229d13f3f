import { unavailable } from '@quicksale/shared/errors';
import type { RedisConnection } from '@quicksale/shared/redis';
import type { SequenceCounters } from './notification-store.ts';

type Command = [string, ...(string | number)[]];

/** The counters in work Redis. Losing them is noticed by the store of the notifications. */
export function createRedisSequenceCounters(options: {
  redis: RedisConnection;
  namespace: string;
}): SequenceCounters {
  const prefix = options.namespace ? `${options.namespace}:` : '';
  const keyOf = (userId: string) => `${prefix}ql:seq:${userId}`;

  const memoryKey = `${prefix}ql:seq-memory`;

  /** One round trip; any command that failed fails the whole. */
  async function run(commands: Command[]): Promise<unknown[]> {
    if (commands.length === 0) return [];
    const answers = await options.redis.client
      .pipeline(commands)
      .exec()
      .catch((error: unknown) => {
        throw unavailable('Work Redis is not reachable', error);
      });
    return (answers ?? []).map(([error, value]) => {
      if (error) throw unavailable('Work Redis did not answer', error);
      return value;
    });
  }

  return {
    take: async (counts) => {
      const users = [...counts];
      if (users.length === 0) return { ends: new Map(), memory: 'whole' };
      // In one pipeline, so that the judgement is about the very server that counts.
      const [judged, ...values] = await run([
        ['get', memoryKey],
        ...users.map(([userId, count]) => ['incrby', keyOf(userId), count] satisfies Command),
      ]);
      if (values.length !== users.length) throw unavailable('Work Redis did not answer');
      const memory = judged === 'whole' || judged === 'doubtful' ? judged : 'blank';
      return { ends: new Map(users.map(([userId], n) => [userId, Number(values[n])])), memory };
    },
    judge: async (memory) => {
      await run([['set', memoryKey, memory, 'NX']]);
    },
    raise: async (wanted) => {
      const users = [...wanted];
      const current = await run(users.map(([userId]) => ['incrby', keyOf(userId), 0]));
      // Raised by the difference: another notifier that counts on meanwhile only makes it higher.
      const behind = users
        .map(([userId, value], n) => [userId, value - Number(current[n])] as const)
        .filter(([, missing]) => missing > 0);
      await run(behind.map(([userId, missing]) => ['incrby', keyOf(userId), missing]));
    },
  };
}
