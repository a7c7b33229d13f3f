import { Redis } from 'ioredis';
import { unavailable } from '../errors/index.ts';
import type { Logger } from '../log/index.ts';
import type { Part } from '../process/service.ts';

/** Where keys live: on one server, or spread over the masters of a cluster. */
export interface RedisServers extends Part {
  /** The connection to the server that has the key. Throws `unavailable` while none is known. */
  serverOf(key: string): RedisConnection;
  /** Calls back whenever keys may be on another run of a server than before; answers the undo. */
  onConnected(listener: () => void): () => void;
}

/** One server: it has every key. */
export interface RedisConnection extends RedisServers {
  client: Redis;
  /**
   * Run id of the server at the other end of this very connection. Throws `unavailable` while there
   * is none: a run id learnt over an earlier connection says nothing about the server now.
   */
  runId(): string;
}

export interface RedisOptions {
  url: string;
  name: string;
  log: Logger;
  commandTimeoutMs?: number;
  /**
   * A connection that has been silent for so long is taken for dead and made anew. Only for one that
   * is asked all the time: a command's own limit ends the command, not the connection.
   */
  silenceLimitMs?: number;
  /** Hears of every error that the server answers. */
  onErrorReply?: (error: Error) => void;
}

/**
 * A connection for the request path: no queue while it is down, no command sent twice, so a buyer
 * gets a clear answer at once. `start` waits for the server as long as it takes.
 */
export function connectRedis(options: RedisOptions): RedisConnection {
  const listeners = new Set<() => void>();
  let runId: string | undefined;
  let isStopped = false;
  let lastProblem: unknown;
  const client = new Redis(options.url, {
    lazyConnect: true,
    connectionName: `quicksale-${options.name}`,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 1,
    commandTimeout: options.commandTimeoutMs ?? 2_000,
    socketTimeout: options.silenceLimitMs,
    // Its timer outlives a connection that was already gone.
    disconnectTimeout: 500,
    retryStrategy: (times) => Math.min(50 * times, 500),
    // Asked about each of them; the connection stays.
    reconnectOnError: (error) => {
      options.onErrorReply?.(error);
      return false;
    },
  });
  client.on('error', (error: unknown) => {
    if (String(error) !== String(lastProblem))
      options.log.warn({ err: error, redis: options.name }, 'Redis connection lost');
    lastProblem = error;
  });
  client.on('close', () => {
    runId = undefined;
  });
  client.on('ready', () => {
    lastProblem = undefined;
    client.info('server').then(
      (info) => {
        runId = /^run_id:(\S+)/m.exec(info)?.[1];
        for (const listener of listeners) listener();
      },
      (error: unknown) => {
        options.log.warn({ err: error, redis: options.name }, 'Redis did not tell its run id');
        client.disconnect(true);
      },
    );
  });

  const connection: RedisConnection = {
    name: options.name,
    client,
    serverOf: () => connection,
    onConnected: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    runId: () => {
      if (!runId) throw unavailable(`${options.name} is not connected`);
      return runId;
    },
    start: async () => {
      // A refused first connection is retried by the strategy above; only the end of it counts.
      void client.connect().catch(() => undefined);
      while (!runId && !isStopped && client.status !== 'end')
        await new Promise((done) => setTimeout(done, 10));
    },
    stop: async () => {
      // A client that waits to reconnect keeps that status when it is told to disconnect.
      isStopped = true;
      if (client.status === 'ready') await client.quit().catch(() => undefined);
      client.disconnect();
    },
    check: () => Promise.resolve(runId ? undefined : 'not connected'),
  };
  return connection;
}
