import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  inventoryResult,
  orderCreated,
  orderStatus,
  type OrderCreated,
  type OrderStatus,
  type Topic,
} from '../src/contracts/index.ts';
import { unavailable } from '../src/errors/index.ts';
import { withContext } from '../src/log/index.ts';
import type { Part } from '../src/process/service.ts';
import type { ConsumerOptions, DeadLetter, Delivered, EventBus } from '../src/bus/index.ts';
import { eventually } from '../src/testing/index.ts';

export interface BusUnderTest {
  bus: EventBus;
  /** A name that no other test uses. */
  group: string;
  publishRaw(
    topic: Topic,
    message: { key: string; value: string; headers: Record<string, string> },
  ): Promise<void>;
  deadLetters(topic: Topic): Promise<readonly DeadLetter[]>;
  close(): Promise<void>;
}

const id = (n: number) => n.toString(16).padStart(24, '0');

export const sampleOrder = (n: number): OrderCreated => ({
  orderId: id(n),
  orderNumber: `ORD-2026-${n}`,
  saleId: id(0xaa),
  userId: id(0xbb),
  items: [{ productId: id(0xcc), quantity: 1 }],
  expiresAt: null,
  at: '2026-11-20T10:00:00.000Z',
});

export const sampleStatus = (user: number, order: number, version: number): OrderStatus => ({
  orderId: id(order),
  orderNumber: `ORD-2026-${order}`,
  userId: id(user),
  saleId: id(0xaa),
  from: 'PENDING',
  to: 'CONFIRMED',
  inventoryStatus: 'RESERVED',
  paymentStatus: 'NONE',
  version,
  message: 'Your order is confirmed',
  at: '2026-11-20T10:00:00.000Z',
});

/** What every adapter of the bus must do. The policy under test tries 2 times, 10 ms apart. */
export function describeBus(name: string, connect: () => Promise<BusUnderTest>): void {
  describe(name, () => {
    let under: BusUnderTest;
    let consumers: Part[];

    beforeEach(async () => {
      under = await connect();
      consumers = [];
    });
    afterEach(async () => {
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await under.close();
    });

    async function consume<T>(
      options: Omit<ConsumerOptions<T>, 'group' | 'handle'> & {
        handle?: (batch: readonly Delivered<T>[]) => Promise<void>;
      },
    ): Promise<{ seen: Delivered<T>[]; calls: number[]; consumer: Part }> {
      const seen: Delivered<T>[] = [];
      const calls: number[] = [];
      const consumer = under.bus.createConsumer<T>({
        ...options,
        group: under.group,
        handle: async (batch) => {
          calls.push(batch.length);
          await options.handle?.(batch);
          seen.push(...batch);
        },
      });
      consumers.push(consumer);
      await consumer.start();
      return { seen, calls, consumer };
    }

    it('delivers what was published, before and after the consumer came, with its context', async () => {
      await withContext({ requestId: 'request-1' }, () =>
        under.bus.publish([orderCreated.event(sampleOrder(1))]),
      );
      const { seen } = await consume({ contract: orderCreated });
      await eventually(() => expect(seen).toHaveLength(1));
      await under.bus.publish([
        orderCreated.event(sampleOrder(2), { requestId: 'request-2', traceparent: 'trace' }),
      ]);
      await eventually(() => expect(seen).toHaveLength(2));
      expect(seen).toEqual([
        {
          id: `${id(1)}:1`,
          time: sampleOrder(1).at,
          data: sampleOrder(1),
          context: { requestId: 'request-1' },
        },
        {
          id: `${id(2)}:1`,
          time: sampleOrder(2).at,
          data: sampleOrder(2),
          context: { requestId: 'request-2', traceparent: 'trace' },
        },
      ]);
    });

    it('keeps the order of one key and loses nothing with parallel publishers', async () => {
      const { seen } = await consume({ contract: orderStatus, batchLimit: 50 });
      const publishUser = async (user: number) => {
        for (let version = 2; version < 32; version += 1)
          await under.bus.publish([orderStatus.event(sampleStatus(user, user, version))]);
      };
      await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(publishUser));
      await eventually(() => expect(seen).toHaveLength(8 * 30));
      for (let user = 1; user <= 8; user += 1) {
        const versions = seen
          .filter(({ data }) => data.userId === id(user))
          .map((e) => e.data.version);
        expect(versions).toEqual(Array.from({ length: 30 }, (_, n) => n + 2));
      }
    });

    it('splits a publish that is larger than one batch', async () => {
      const events = Array.from({ length: 2_500 }, (_, n) => orderCreated.event(sampleOrder(n)));
      await under.bus.publish(events);
      await under.bus.publish([]);
      const { seen, calls } = await consume({ contract: orderCreated, batchLimit: 100 });
      await eventually(() => expect(new Set(seen.map((event) => event.id)).size).toBe(2_500));
      expect(Math.max(...calls)).toBeLessThanOrEqual(100);
    });

    it('measures what a group has not committed', async () => {
      await under.bus.publish([1, 2, 3].map((n) => orderCreated.event(sampleOrder(n))));
      expect(await under.bus.lag(under.group, orderCreated)).toBe(3);
      expect(await under.bus.lag(under.group, inventoryResult)).toBe(0);
      const { seen } = await consume({ contract: orderCreated });
      await eventually(() => expect(seen).toHaveLength(3));
      await eventually(async () => expect(await under.bus.lag(under.group, orderCreated)).toBe(0));
    });

    it('sends what cannot be decoded to the dead letters at once, and goes on', async () => {
      const { seen, calls } = await consume({ contract: orderCreated });
      const key = id(1);
      const type = { ce_type: 'order.created.v1' };
      const order = JSON.stringify(sampleOrder(1));
      await under.publishRaw(orderCreated.topic, { key, value: '{"half', headers: type });
      await under.publishRaw(orderCreated.topic, { key, value: '{}', headers: type });
      await under.publishRaw(orderCreated.topic, { key, value: order, headers: {} });
      const newer = { ce_type: 'order.created.v9', ce_id: 'e4' };
      await under.publishRaw(orderCreated.topic, { key, value: order, headers: newer });
      await under.bus.publish([orderCreated.event(sampleOrder(1))]);
      await eventually(() => expect(seen).toHaveLength(1));
      const letters = await under.deadLetters(orderCreated.topic);
      expect(letters.map(({ value }) => value?.toString())).toEqual(['{"half', '{}', order, order]);
      expect(letters[3]).toMatchObject({
        headers: { ...newer, dlq_reason: 'undecodable', dlq_tries: '0' },
      });
      expect(letters[3]?.headers.dlq_error).toContain('order.created.v9');
      expect(letters[3]?.key?.toString()).toBe(key);
      expect(calls).toEqual([1]);
    });

    it.each([TypeError, SyntaxError, Error])(
      'sends only the event that a handler cannot do to the dead letters (%p)',
      async (Thrown) => {
        await under.bus.publish(
          [3, 4, 5].map((version) => orderStatus.event(sampleStatus(1, 1, version))),
        );
        const { seen } = await consume({
          contract: orderStatus,
          handle: async (batch) => {
            if (batch.some(({ data }) => data.version === 4)) throw new Thrown('not this one');
          },
        });
        await eventually(() => expect(seen.map(({ data }) => data.version)).toEqual([3, 5]));
        await eventually(async () => expect(await under.bus.lag(under.group, orderStatus)).toBe(0));
        const letters = await under.deadLetters(orderStatus.topic);
        expect(letters).toHaveLength(1);
        expect(letters[0]?.headers).toMatchObject({
          ce_id: `${id(1)}:4`,
          dlq_reason: 'handler-failed',
          dlq_tries: '2',
        });
        await under.bus.publish([orderStatus.event(sampleStatus(1, 1, 6))]);
        await eventually(() => expect(seen.map(({ data }) => data.version)).toEqual([3, 5, 6]));
      },
    );

    it('waits while a store is away and buries nothing', async () => {
      let away = true;
      const { seen, calls } = await consume({
        contract: orderStatus,
        handle: async () => {
          if (away) throw unavailable('the store is away');
        },
      });
      await under.bus.publish([orderStatus.event(sampleStatus(1, 1, 2))]);
      await eventually(() => expect(calls.length).toBeGreaterThan(4));
      expect(seen).toHaveLength(0);
      expect(await under.bus.lag(under.group, orderStatus)).toBe(1);
      away = false;
      await eventually(() => expect(seen).toHaveLength(1));
      expect(await under.deadLetters(orderStatus.topic)).toHaveLength(0);
    });

    it('a consumer that stops in the middle leaves its batch to the next one', async () => {
      const first = await consume({
        contract: orderStatus,
        handle: async () => {
          throw unavailable('the store is away');
        },
      });
      await under.bus.publish([orderStatus.event(sampleStatus(1, 1, 2))]);
      await eventually(() => expect(first.calls.length).toBeGreaterThan(0));
      await first.consumer.stop();
      expect(await first.consumer.check?.()).toBe('stopped');
      const second = await consume({ contract: orderStatus });
      await eventually(() => expect(second.seen).toHaveLength(1));
    });

    it('two members share the work', async () => {
      const members = [
        await consume({ contract: orderStatus }),
        await consume({ contract: orderStatus }),
      ];
      const events = Array.from({ length: 200 }, (_, n) =>
        orderStatus.event(sampleStatus(n, n, 2)),
      );
      await under.bus.publish(events);
      await eventually(() => {
        const ids = new Set(members.flatMap(({ seen }) => seen.map((event) => event.id)));
        expect(ids.size).toBe(200);
      });
    });
  });
}
