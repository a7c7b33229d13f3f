import type { Notification } from './notification.ts';

/** What a user has: the highest sequence number and how many are unread. */
export interface NotificationSummary {
  lastSeq: number;
  unread: number;
}

/** Where notifications are kept. Unique: the id, and (userId, seq). */
export interface NotificationStore {
  /** Inserts each one that conflicts with nothing; answers the ids of the others. One command. */
  insert(batch: readonly Notification[]): Promise<ReadonlySet<string>>;
  isEmpty(): Promise<boolean>;
  findByIds(ids: readonly string[]): Promise<readonly Notification[]>;
  /** By user; users without notifications are missing. */
  summaries(userIds: readonly string[]): Promise<ReadonlyMap<string, NotificationSummary>>;
  /** A user's notifications after a sequence number, lowest first. */
  after(userId: string, seq: number, limit: number): Promise<readonly Notification[]>;
  /** The same for several users at once, each with its own number; lowest first. */
  afterEach(seqs: ReadonlyMap<string, number>): Promise<readonly Notification[]>;
}

/**
 * Whether the counters know every number that was ever given: `whole` since the first notification,
 * `doubtful` since they were lost at least once, `blank` when nobody has judged yet.
 */
export type CounterMemory = 'whole' | 'doubtful' | 'blank';

/** Sequence numbers per user. */
export interface SequenceCounters {
  /** Adds to each user's counter; answers the new values. One round trip. */
  take(
    counts: ReadonlyMap<string, number>,
  ): Promise<{ ends: ReadonlyMap<string, number>; memory: CounterMemory }>;
  /** Lifts counters to at least these values. */
  raise(values: ReadonlyMap<string, number>): Promise<void>;
  /** Keeps a judgement where the counters are, so that it is lost with them; the first one stays. */
  judge(memory: Exclude<CounterMemory, 'blank'>): Promise<void>;
}
