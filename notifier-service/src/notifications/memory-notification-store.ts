import type { CounterMemory, NotificationStore, SequenceCounters } from './notification-store.ts';
import type { Notification } from './notification.ts';

/** The store in memory, for tests and simulations. */
export function createMemoryNotificationStore(): NotificationStore & {
  all(): readonly Notification[];
} {
  const byId = new Map<string, Notification>();
  const taken = new Set<string>();
  const sorted = (accept: (notification: Notification) => boolean) =>
    [...byId.values()].filter(accept).sort((a, b) => a.seq - b.seq);

  return {
    all: () => [...byId.values()],
    insert: async (batch) => {
      const refused = new Set<string>();
      for (const notification of batch) {
        const place = `${notification.userId}/${notification.seq}`;
        if (byId.has(notification.id) || taken.has(place)) refused.add(notification.id);
        else {
          byId.set(notification.id, structuredClone(notification));
          taken.add(place);
        }
      }
      return refused;
    },
    isEmpty: async () => byId.size === 0,
    findByIds: async (ids) => ids.flatMap((id) => byId.get(id) ?? []),
    summaries: async (userIds) => {
      const found = userIds.map((userId) => [userId, sorted((n) => n.userId === userId)] as const);
      return new Map(
        found
          .filter(([, list]) => list.length > 0)
          .map(([userId, list]) => [
            userId,
            {
              lastSeq: list.at(-1)?.seq ?? 0,
              unread: list.filter(({ readAt }) => readAt === null).length,
            },
          ]),
      );
    },
    after: async (userId, seq, limit) =>
      sorted((n) => n.userId === userId && n.seq > seq).slice(0, limit),
    afterEach: async (seqs) => sorted((n) => n.seq > (seqs.get(n.userId) ?? Infinity)),
  };
}

/** The counters in memory; `forget` is what a lost Redis does. */
export function createMemorySequenceCounters(): SequenceCounters & { forget(): void } {
  const values = new Map<string, number>();
  let memory: CounterMemory = 'blank';
  return {
    forget: () => {
      values.clear();
      memory = 'blank';
    },
    judge: async (judgement) => {
      if (memory === 'blank') memory = judgement;
    },
    take: async (counts) => {
      for (const [userId, count] of counts) values.set(userId, (values.get(userId) ?? 0) + count);
      const ends = [...counts.keys()].map((userId) => [userId, values.get(userId) ?? 0] as const);
      return { ends: new Map(ends), memory };
    },
    raise: async (wanted) => {
      for (const [userId, value] of wanted)
        values.set(userId, Math.max(values.get(userId) ?? 0, value));
    },
  };
}
