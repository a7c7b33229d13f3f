import type { RedisConnection, RedisServers } from './connect-redis.ts';

export type RedisCommand = readonly [name: string, key: string, ...args: (string | number)[]];

/** `error` is there when the command failed. */
export interface Answer {
  error?: unknown;
  reply?: unknown;
}

/**
 * Sends each command to the server that has its key: one pipeline per server, side by side. Answers
 * in the order of the commands; those of a server that is away are errors.
 */
export async function askByKey(
  servers: RedisServers,
  commands: readonly RedisCommand[],
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const byServer = new Map<RedisConnection, number[]>();
  commands.forEach(([, key], index) => {
    try {
      const server = servers.serverOf(key);
      const indexes = byServer.get(server) ?? [];
      byServer.set(server, indexes);
      indexes.push(index);
    } catch (error) {
      answers[index] = { error };
    }
  });
  await Promise.all(
    [...byServer].map(async ([{ client }, indexes]) => {
      const pipeline = client.pipeline(indexes.map((index) => [...(commands[index] ?? [])]));
      const replies = await pipeline.exec().catch((error: unknown) => error);
      indexes.forEach((index, at) => {
        const [error, reply] = Array.isArray(replies)
          ? (replies[at] as [unknown, unknown])
          : [replies];
        answers[index] = error ? { error } : { reply };
      });
    }),
  );
  return answers;
}
