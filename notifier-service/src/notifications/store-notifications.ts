import { unavailable } from '@quicksale/shared/errors';
import type { OrderStatus } from '@quicksale/shared/contracts';
import type { CounterMemory, NotificationStore, SequenceCounters } from './notification-store.ts';
import { toNotification, type Notification } from './notification.ts';

export interface StoreNotificationsDeps {
  store: NotificationStore;
  counters: SequenceCounters;
}

const roundLimit = 5;

/**
 * Stores a notification per event and answers all of them as they are stored, in the order of the
 * events: a redelivered event keeps the sequence number that it was given first.
 *
 * The counters may have been lost. That shows as a number that is taken; and after a loss every
 * counter that starts anew is compared with the store first. Either way it is lifted above the
 * highest stored number, so that numbers never come again, not even into a gap.
 */
export async function storeNotifications(
  { store, counters }: StoreNotificationsDeps,
  events: readonly OrderStatus[],
): Promise<readonly Notification[]> {
  const pending = new Map(events.map((event) => [`${event.orderId}:${event.version}`, event]));
  const stored = new Map<string, Notification>();
  for (let round = 1; pending.size > 0; round += 1) {
    if (round > roundLimit) throw unavailable('Sequence numbers are contested');
    const drafts = await number([...pending.values()], { store, counters });
    const refused = await store.insert(drafts);
    for (const draft of drafts) {
      if (refused.has(draft.id)) continue;
      stored.set(draft.id, draft);
      pending.delete(draft.id);
    }
    if (refused.size === 0) break;
    for (const known of await store.findByIds([...refused])) {
      stored.set(known.id, known);
      pending.delete(known.id);
    }
    // Neither inserted nor there already: the number was taken.
    if (pending.size > 0) await lift(usersOf(pending.values()), { store, counters });
  }
  const ids = new Set(events.map((event) => `${event.orderId}:${event.version}`));
  return [...ids].flatMap((id) => stored.get(id) ?? []);
}

/** Gives each event the next number of its user. */
async function number(
  events: readonly OrderStatus[],
  deps: StoreNotificationsDeps,
): Promise<readonly Notification[]> {
  const counts = new Map<string, number>();
  for (const { userId } of events) counts.set(userId, (counts.get(userId) ?? 0) + 1);
  const taken = await deps.counters.take(counts);
  const ends = new Map(taken.ends);
  if (!(await isWhole(taken.memory, deps))) {
    const fresh = [...counts].filter(([userId, count]) => ends.get(userId) === count);
    const lost = await lift(
      fresh.map(([userId]) => userId),
      deps,
    );
    const again = new Map(fresh.filter(([userId]) => lost.has(userId)));
    for (const [userId, end] of (await deps.counters.take(again)).ends) ends.set(userId, end);
  }
  const next = new Map([...ends].map(([userId, end]) => [userId, end - (counts.get(userId) ?? 0)]));
  return events.map((event) => {
    const seq = (next.get(event.userId) ?? 0) + 1;
    next.set(event.userId, seq);
    return toNotification(event, seq);
  });
}

/** Counters without a judgement are new, or were lost: the store knows which. */
async function isWhole(
  memory: CounterMemory,
  { store, counters }: StoreNotificationsDeps,
): Promise<boolean> {
  if (memory !== 'blank') return memory === 'whole';
  const whole = await store.isEmpty();
  await counters.judge(whole ? 'whole' : 'doubtful');
  return whole;
}

/** Lifts the counters of those users who have notifications; answers who they are. */
async function lift(
  userIds: readonly string[],
  { store, counters }: StoreNotificationsDeps,
): Promise<ReadonlySet<string>> {
  if (userIds.length === 0) return new Set();
  const summaries = await store.summaries(userIds);
  if (summaries.size === 0) return new Set();
  await counters.raise(new Map([...summaries].map(([id, { lastSeq }]) => [id, lastSeq])));
  return new Set(summaries.keys());
}

const usersOf = (events: Iterable<OrderStatus>) => [
  ...new Set([...events].map(({ userId }) => userId)),
];
