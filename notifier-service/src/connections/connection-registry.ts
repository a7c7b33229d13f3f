import type { Notification } from '../notifications/notification.ts';
import type { Connection } from './connection.ts';
import { closeCodes } from './frame.ts';

export interface RegistryLimits {
  perUser: number;
  perIp: number;
}

/** The sockets of this process. */
export interface ConnectionRegistry {
  /** Counts a socket of an address; false when it has too many. Undone by `leave`. */
  enter(ip: string): boolean;
  leave(ip: string): void;
  /** False when the user has too many connections. */
  add(connection: Connection): boolean;
  remove(connection: Connection): void;
  /** Hands notifications to the connections of their users. */
  push(notifications: readonly Notification[]): void;
  all(): readonly Connection[];
  size(): number;
}

export function createConnectionRegistry(limits: RegistryLimits): ConnectionRegistry {
  const byUser = new Map<string, Set<Connection>>();
  const byIp = new Map<string, number>();
  let size = 0;

  return {
    enter: (ip) => {
      const count = byIp.get(ip) ?? 0;
      if (count >= limits.perIp) return false;
      byIp.set(ip, count + 1);
      return true;
    },
    leave: (ip) => {
      const count = (byIp.get(ip) ?? 0) - 1;
      if (count > 0) byIp.set(ip, count);
      else byIp.delete(ip);
    },
    add: (connection) => {
      const own = byUser.get(connection.userId) ?? new Set();
      if (own.size >= limits.perUser) return false;
      byUser.set(connection.userId, own.add(connection));
      size += 1;
      return true;
    },
    remove: (connection) => {
      const own = byUser.get(connection.userId);
      if (!own?.delete(connection)) return;
      size -= 1;
      if (own.size === 0) byUser.delete(connection.userId);
    },
    push: (notifications) => {
      for (const notification of notifications)
        for (const connection of byUser.get(notification.userId) ?? [])
          connection.push(notification);
    },
    all: () => [...byUser.values()].flatMap((own) => [...own]),
    size: () => size,
  };
}

/**
 * Sends everybody away at shutdown, in slices, so that they do not all come to the other notifiers
 * in one moment. Resolves when every connection has been closed or given up.
 */
export async function drainConnections(
  registry: ConnectionRegistry,
  options: {
    slice: number;
    pauseMs: number;
    /** Longest that a client is asked to wait before it comes back. */
    spreadMs: number;
    graceMs: number;
    random: () => number;
    sleep: (delayMs: number) => Promise<unknown>;
  },
): Promise<void> {
  const connections = registry.all();
  for (const connection of connections)
    connection.draining(Math.floor(options.random() * options.spreadMs));
  for (let from = 0; from < connections.length; from += options.slice) {
    if (from > 0) await options.sleep(options.pauseMs);
    for (const connection of connections.slice(from, from + options.slice))
      connection.close(closeCodes.restart, 'the server restarts');
  }
  for (let waited = 0; registry.size() > 0 && waited < options.graceMs; waited += 50)
    await options.sleep(50);
}
