import type { NotificationSummary } from '../notifications/notification-store.ts';
import type { Connection } from './connection.ts';
import { closeCodes } from './frame.ts';

/** Says where a new connection stands; what is published meanwhile comes after it. */
export async function welcomeConnection(
  deps: { summaryOf: (userId: string) => Promise<NotificationSummary | undefined> },
  connection: Connection,
): Promise<void> {
  connection.hold();
  try {
    const summary = await deps.summaryOf(connection.userId);
    connection.welcome(summary ?? { lastSeq: 0, unread: 0 });
  } catch (error) {
    // Without a welcome the client cannot know what it missed.
    connection.close(closeCodes.tryLater, 'the store is away');
    throw error;
  } finally {
    connection.release();
  }
}
