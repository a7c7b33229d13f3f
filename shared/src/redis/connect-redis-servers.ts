import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '../errors/index.ts';
import {
  connectRedis,
  type RedisConnection,
  type RedisOptions,
  type RedisServers,
} from './connect-redis.ts';
import { hashSlot } from './hash-slot.ts';
import { slotOwners } from './slot-owners.ts';

/** How often the nodes are asked who has which slot: a failover announces itself to nobody. */
const lookEveryMs = 1_000;
const firstLookEveryMs = 20;

/**
 * `url` names one server, or several nodes of one cluster, comma separated. Either way each server
 * is reached over a connection of `connectRedis`, with its promises.
 */
export function connectRedisServers(options: RedisOptions): RedisServers {
  return options.url.includes(',') ? connectCluster(options) : connectRedis(options);
}

/**
 * A cluster is its masters, each behind a connection of its own that knows the run id of the server
 * at its other end. Nothing is redirected or sent again: a call that meets a node which does not
 * have its keys (any more) fails, and the next one knows better. `start` waits for the first map of
 * the slots, not for every master: the sales of one that is away must not keep the others closed.
 */
function connectCluster(options: RedisOptions): RedisServers {
  const { name, log } = options;
  const named = options.url.split(',').map((url) => new URL(url.trim()));
  const connections = new Map<string, RedisConnection>();
  const listeners = new Set<() => void>();
  const stopping = new AbortController();
  /** Address of the master by slot; all of them. */
  let owners: string[] = [];
  let masters: string[] = [];
  let looking: Promise<void> | undefined;
  let loop: Promise<void> = Promise.resolve();

  const addressOf = ({ hostname, port }: URL) => `${hostname}:${port || '6379'}`;
  const announce = () => {
    for (const listener of listeners) listener();
  };
  /** Of the masters that the map names, those to which there is no connection. */
  const mastersAway = async () => {
    const problems = await Promise.all(masters.map(async (at) => connections.get(at)?.check?.()));
    return masters.filter((_, index) => problems[index] !== undefined);
  };

  /** The nodes that the map names are reached as the configured ones are: scheme, user, password. */
  function connect(address: string): void {
    const url = new URL(named.find((one) => addressOf(one) === address) ?? named[0] ?? '');
    url.host = address;
    const connection = connectRedis({
      ...options,
      url: url.href,
      name: `${name}-${address}`,
      onErrorReply: (error) => {
        if (error.message.startsWith('MOVED')) void look();
      },
    });
    connection.onConnected(announce);
    connections.set(address, connection);
    void connection.start();
  }

  /** Every node is asked; connections come and go with the masters. */
  const look = () => (looking ??= askAll().finally(() => (looking = undefined)));
  async function askAll(): Promise<void> {
    const views = await Promise.allSettled(
      [...connections.values()].map(async ({ client }) => ({
        nodes: String(await client.cluster('NODES')),
        host: client.options.host ?? '',
      })),
    );
    const found = slotOwners(
      views.flatMap((view) => (view.status === 'fulfilled' ? [view.value] : [])),
    );
    if (found.length === 0 || stopping.signal.aborted) return;
    const isNew =
      found.length !== owners.length || found.some((owner, slot) => owner !== owners[slot]);
    owners = found;
    masters = [...new Set(owners)].filter(Boolean);
    const wanted = new Set([...named.map(addressOf), ...masters]);
    for (const address of wanted) if (!connections.has(address)) connect(address);
    for (const [address, connection] of connections)
      if (!wanted.has(address)) {
        connections.delete(address);
        await connection.stop();
      }
    if (!isNew) return;
    log.info({ redis: name, masters }, 'learnt where the slots of the cluster are');
    announce();
  }

  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look();
      const pauseMs = owners.length > 0 ? lookEveryMs : firstLookEveryMs;
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  return {
    name,
    serverOf: (key) => {
      const connection = connections.get(owners[hashSlot(key)] ?? '');
      if (!connection) throw unavailable(`${name} has no master for ${key}`);
      return connection;
    },
    onConnected: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    start: async () => {
      for (const url of named) connect(addressOf(url));
      loop = keepLooking();
      while (owners.length === 0 && !stopping.signal.aborted) await sleep(firstLookEveryMs);
      const deadline = performance.now() + lookEveryMs;
      while ((await mastersAway()).length > 0 && performance.now() < deadline) await sleep(5);
    },
    stop: async () => {
      stopping.abort();
      await loop;
      await looking;
      await Promise.all([...connections.values()].map((connection) => connection.stop()));
    },
    // A process that can serve the sales of one master is of use.
    check: async () =>
      (await mastersAway()).length === masters.length ? 'no master is connected' : undefined,
  };
}
