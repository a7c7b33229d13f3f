import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { OrderStatus } from '@quicksale/shared/contracts';
import type {
  NotificationStore,
  SequenceCounters,
} from '../src/notifications/notification-store.ts';
import { toNotification } from '../src/notifications/notification.ts';
import { storeNotifications } from '../src/notifications/store-notifications.ts';

export interface StoreUnderTest {
  store: NotificationStore;
  counters: SequenceCounters;
  /** What a Redis that lost everything does. */
  forget(): Promise<void>;
}

export const newId = () => randomBytes(12).toString('hex');

export const changeOf = (userId: string, orderId: string, version: number): OrderStatus => ({
  orderId,
  orderNumber: 'ORD-2026-000001',
  userId,
  saleId: newId(),
  from: 'PENDING',
  to: 'CONFIRMED',
  inventoryStatus: 'RESERVED',
  paymentStatus: 'NONE',
  version,
  message: 'Your order is confirmed',
  at: '2026-11-20T10:00:00.000Z',
});

/** What a store and its counters must do, and the use case that stands on them. */
export function describeNotificationStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let under: StoreUnderTest;
    let userId: string;
    const storeAll = (...events: OrderStatus[]) => storeNotifications(under, events);
    const seqsOf = async (user = userId) =>
      (await under.store.after(user, 0, 1_000)).map(({ seq }) => seq);

    beforeEach(async () => {
      under = await open();
      userId = newId();
    });

    it('refuses a second notification of one change and a second one with a number', async () => {
      const first = toNotification(changeOf(userId, newId(), 2), 5);
      const sameNumber = toNotification(changeOf(userId, newId(), 2), 5);
      const fine = toNotification(changeOf(userId, newId(), 2), 6);
      expect(await under.store.insert([first])).toEqual(new Set());
      const refused = await under.store.insert([{ ...first, seq: 7 }, sameNumber, fine]);
      expect(refused).toEqual(new Set([first.id, sameNumber.id]));
      expect(await under.store.findByIds([first.id, sameNumber.id, fine.id])).toHaveLength(2);
      expect(await under.store.after(userId, 0, 10)).toEqual([first, fine]);
    });

    it('tells where users stand', async () => {
      const other = newId();
      await storeAll(changeOf(userId, newId(), 2), changeOf(userId, newId(), 2));
      await storeAll(changeOf(other, newId(), 2));
      expect(await under.store.summaries([userId, other, newId()])).toEqual(
        new Map([
          [userId, { lastSeq: 2, unread: 2 }],
          [other, { lastSeq: 1, unread: 1 }],
        ]),
      );
    });

    it('reads what came after a number, of one user and of several', async () => {
      const other = newId();
      await storeAll(...[1, 2, 3].map(() => changeOf(userId, newId(), 2)));
      await storeAll(...[1, 2].map(() => changeOf(other, newId(), 2)));
      expect((await under.store.after(userId, 1, 1)).map(({ seq }) => seq)).toEqual([2]);
      const missed = await under.store.afterEach(
        new Map([
          [userId, 2],
          [other, 0],
        ]),
      );
      expect(missed.map((one) => [one.userId, one.seq])).toEqual([
        [other, 1],
        [other, 2],
        [userId, 3],
      ]);
    });

    it('numbers the events of a batch per user, in their order', async () => {
      const other = newId();
      const orderId = newId();
      const stored = await storeAll(
        changeOf(userId, orderId, 2),
        changeOf(other, newId(), 2),
        changeOf(userId, orderId, 3),
      );
      expect(stored.map((one) => [one.userId, one.seq, one.data.version])).toEqual([
        [userId, 1, 2],
        [other, 1, 2],
        [userId, 2, 3],
      ]);
    });

    it('a redelivered event keeps its first number, also beside new ones and in one batch', async () => {
      const known = changeOf(userId, newId(), 2);
      const [first] = await storeAll(known);
      const fresh = changeOf(userId, newId(), 2);
      const stored = await storeAll(known, fresh, known);
      expect(stored[0]).toEqual(first);
      expect(stored).toHaveLength(2);
      expect(stored[1]?.seq).toBeGreaterThan(1);
      expect(await seqsOf()).toEqual([1, stored[1]?.seq]);
    });

    it('lost counters go on above the highest number, gaps or not', async () => {
      await under.store.insert([toNotification(changeOf(userId, newId(), 2), 10)]);
      await under.forget();
      const stored = await storeAll(changeOf(userId, newId(), 2), changeOf(userId, newId(), 2));
      expect(stored.map(({ seq }) => seq)).toEqual([11, 12]);
    });

    it('counters that were set back are lifted', async () => {
      const numbered = [1, 2, 3].map((seq) => toNotification(changeOf(userId, newId(), 2), seq));
      await under.store.insert(numbered);
      await under.forget();
      await under.counters.judge('whole');
      await under.counters.take(new Map([[userId, 1]]));
      const stored = await storeAll(changeOf(userId, newId(), 2));
      expect(stored.map(({ seq }) => seq)).toEqual([4]);
    });

    it('two members that store the same events at once agree', async () => {
      const events = Array.from({ length: 50 }, (_, n) =>
        changeOf(n % 5 === 0 ? userId : newId(), newId(), 2),
      );
      const answers = await Promise.all([
        storeAll(...events),
        storeAll(...[...events].reverse()),
        storeAll(...events),
      ]);
      const byId = answers.map((list) => new Map(list.map(({ id, seq }) => [id, seq])));
      expect(byId[0]?.size).toBe(50);
      expect(byId[1]).toEqual(new Map(byId[0]));
      expect(byId[2]).toEqual(byId[0]);
      expect(await seqsOf()).toHaveLength(10);
    });
  });
}
