import type { NotificationStore } from '../notifications/notification-store.ts';
import type { Connection } from './connection.ts';
import { closeCodes } from './frame.ts';

const chunkSize = 100;

/**
 * After an interrupted subscription: reads what the users of these connections missed. All of them
 * hold back what is published meanwhile, else a newer number would hide the missed ones.
 */
export async function catchUp(
  deps: {
    store: Pick<NotificationStore, 'afterEach'>;
    /** Called when the store is away, before the next try. */
    wait: (error: unknown) => Promise<unknown>;
  },
  connections: readonly Connection[],
): Promise<void> {
  const [told, untold] = partition(connections);
  // Where these stand was perhaps read before the gap: they start over.
  for (const connection of untold) connection.close(closeCodes.tryLater, 'try again');
  for (const connection of told) connection.hold();
  // Neighbours have about the same number, so one lower bound fits a whole chunk.
  const queue = told.sort((a, b) => a.lastSeq() - b.lastSeq());
  while (queue.length > 0) {
    const chunk = queue.splice(0, chunkSize);
    const missed = await readMissed(deps, chunk);
    for (const connection of chunk) {
      missed.get(connection.userId)?.forEach(connection.replay);
      connection.release();
    }
  }
}

async function readMissed(deps: Parameters<typeof catchUp>[0], chunk: readonly Connection[]) {
  // Several connections of a user: from the one that is furthest behind.
  const seqs = new Map<string, number>();
  for (const connection of chunk) {
    const other = seqs.get(connection.userId) ?? Infinity;
    seqs.set(connection.userId, Math.min(other, connection.lastSeq()));
  }
  for (;;) {
    if (!chunk.some((connection) => connection.isOpen())) return new Map<string, never[]>();
    try {
      return Map.groupBy(await deps.store.afterEach(seqs), ({ userId }) => userId);
    } catch (error) {
      await deps.wait(error);
    }
  }
}

const partition = (connections: readonly Connection[]) =>
  [
    connections.filter((connection) => connection.isWelcomed()),
    connections.filter((connection) => !connection.isWelcomed()),
  ] as const;
