import type { NotificationStore } from '../notifications/notification-store.ts';
import type { Connection } from './connection.ts';
import type { ReadOpenOrders } from './open-orders.ts';

/** Most notifications that are replayed one by one. */
export const replayLimit = 200;

export interface ResumeDeps {
  store: Pick<NotificationStore, 'after' | 'summaries'>;
  readOpenOrders: ReadOpenOrders;
}

/**
 * Replays what came after `lastSeq`, in order. A client that is too far behind gets the open orders
 * as they are instead, and goes on from the highest number.
 */
export async function resumeConnection(
  { store, readOpenOrders }: ResumeDeps,
  connection: Connection,
  lastSeq: number,
): Promise<void> {
  const { userId } = connection;
  connection.hold();
  try {
    const missed = await store.after(userId, lastSeq, replayLimit + 1);
    if (missed.length <= replayLimit) {
      missed.forEach(connection.replay);
      return;
    }
    // The number first: an order that changes in between is then sent again, not left out.
    const summary = (await store.summaries([userId])).get(userId);
    connection.snapshot(summary?.lastSeq ?? lastSeq, await readOpenOrders(userId));
  } catch (error) {
    connection.error('unavailable');
    throw error;
  } finally {
    connection.release();
  }
}
