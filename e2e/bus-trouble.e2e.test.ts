import { Kafka, Partitioners, type Admin, type Message } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openDeadLetters } from '@quicksale/shared/bus';
import { createLogger } from '@quicksale/shared/log';
import { eventually, newId } from '@quicksale/shared/testing';
import { readTopic, storedOrders } from './books.ts';
import { expectBalanced } from './sale-books.ts';
import { startSystem, type System } from './system.ts';

/** 60,000 by hand: `BROKER_AWAY_MS=60000 npm test -- e2e e2e/bus-trouble.e2e.test.ts`. */
const awayMs = Number(process.env.BROKER_AWAY_MS ?? 10_000);
const ordersPerSecond = 4;
const stock = Math.ceil((awayMs / 1_000) * ordersPerSecond) + 20;
const drainMs = 60_000;

/** Every message of a topic as it is, oldest first within a partition. */
async function readRaw(kafka: Kafka, admin: Admin, topic: string): Promise<Message[]> {
  const ends = await admin.fetchTopicOffsets(topic);
  const expected = ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  const messages: Message[] = [];
  const consumer = kafka.consumer({ groupId: `reader-${newId()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers } }) => {
      messages.push({ key, value, headers: headers ?? {} });
    },
  });
  await eventually(() => expect(messages.length).toBeGreaterThanOrEqual(expected), 30_000);
  await consumer.disconnect();
  return messages;
}

describe('the bus in trouble', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({ name: 'trouble', ownServers: true });
  }, 180_000);
  afterAll(() => system?.stop(), 60_000);

  const kafka = () =>
    new Kafka({ brokers: String(system.env.KAFKA_BROKERS).split(','), logLevel: 0 });
  const named = (name: string) => `${system.namespace}.${name}`;

  async function place(productId: string): Promise<string> {
    const { token } = system.signIn();
    const answer = await system.api.placeOrder({ token, key: 'trouble', productId });
    expect([answer.status, answer.body.code]).toEqual([201, undefined]);
    return (answer.body.order as { _id: string })._id;
  }

  /** Every order is confirmed, has nothing open, and its owner was told once. */
  async function expectConfirmed(saleId: string, ids: readonly string[]): Promise<void> {
    const orders = await storedOrders(system, saleId);
    expect(orders.map(({ id }) => id).sort()).toEqual([...ids].sort());
    for (const order of orders) {
      expect([order.status, order.version]).toEqual(['CONFIRMED', 2]);
      expect(order.outbox ?? []).toEqual([]);
    }
    const notifications = await system.mongo
      .db()
      .collection('notifications')
      .find({ 'data.orderId': { $in: [...ids] } })
      .toArray();
    expect(notifications.map(({ _id }) => String(_id)).sort()).toEqual(
      ids.map((id) => `${id}:2`).sort(),
    );
  }

  it(
    `fault 9: a broker that is away for ${awayMs / 1_000} s keeps no buyer waiting`,
    async () => {
      const { productId, saleId } = await system.givenProduct(stock);
      const ids = [await place(productId)];
      await eventually(() => expectConfirmed(saleId, ids));
      await system.supervisor.stopPart('kafka');
      const backAt = Date.now() + awayMs;
      let slowestMs = 0;
      while (Date.now() < backAt) {
        const startedAt = performance.now();
        ids.push(await place(productId));
        slowestMs = Math.max(slowestMs, performance.now() - startedAt);
        await new Promise((resolve) => setTimeout(resolve, 1_000 / ordersPerSecond));
      }
      const { length } = ids;
      const waiting = await storedOrders(system, saleId);
      expect(waiting.filter(({ status }) => status === 'PENDING')).toHaveLength(length - 1);

      await system.supervisor.start(['kafka']);
      const upAt = Date.now();
      await eventually(() => expectConfirmed(saleId, ids), drainMs);
      const drainedMs = Date.now() - upAt;
      await expectBalanced(system, saleId);
      const ofSale = (events: Record<string, unknown>[]) =>
        events.filter(({ orderId }) => ids.includes(String(orderId))).length;
      const counts = await Promise.all(
        (['order.created', 'inventory.result', 'order.status'] as const).map(async (topic) =>
          ofSale(await readTopic(system, topic)),
        ),
      );
      process.stdout.write(
        `broker away ${awayMs} ms: ${length} orders taken, slowest answer ${Math.round(slowestMs)} ms, ` +
          `drained ${drainedMs} ms after it was up, events sent ${counts.join('/')}\n`,
      );
    },
    awayMs + drainMs + 90_000,
  );

  it('fault 10: events that come again, all of them and in another order, change nothing', async () => {
    const { productId, saleId } = await system.givenProduct(stock);
    const ids: string[] = [];
    for (let placed = 0; placed < 8; placed += 1) ids.push(await place(productId));
    await eventually(() => expectConfirmed(saleId, ids));
    const before = await storedOrders(system, saleId);
    const consumers = ['inventory-service', 'kafka-processor', 'notifier-service'] as const;
    const topicOf = {
      'inventory-service': 'order.created',
      'kafka-processor': 'inventory.result',
      'notifier-service': 'order.status',
    } as const;

    await Promise.all(consumers.map((name) => system.supervisor.stopPart(name)));
    const admin = kafka().admin();
    const producer = kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await Promise.all([admin.connect(), producer.connect()]);
    for (const name of consumers) {
      const topic = named(topicOf[name]);
      const messages = (await readRaw(kafka(), admin, topic)).reverse();
      // Copies of the same event in other partitions: handled at any time, by anybody.
      await producer.send({
        topic,
        messages: messages.map((message, index) => ({ ...message, partition: index % 6 })),
      });
      // A group without offsets starts with the first event.
      await eventually(() => admin.deleteGroups([named(`quicksale.${name}`)]));
    }
    await Promise.all([producer.disconnect(), system.supervisor.start([...consumers])]);
    await eventually(async () => {
      for (const name of consumers) expect(await lagOf(admin, name)).toBe(0);
    }, drainMs);
    await admin.disconnect();

    const after = await storedOrders(system, saleId);
    expect(new Map(after.map((o) => [o.id, o]))).toEqual(new Map(before.map((o) => [o.id, o])));
    await expectConfirmed(saleId, ids);
    await expectBalanced(system, saleId);

    async function lagOf(open: Admin, name: (typeof consumers)[number]): Promise<number> {
      const topic = named(topicOf[name]);
      const [ends, [group]] = await Promise.all([
        open.fetchTopicOffsets(topic),
        open.fetchOffsets({ groupId: named(`quicksale.${name}`), topics: [topic] }),
      ]);
      const committed = new Map(group?.partitions.map((p) => [p.partition, Number(p.offset)]));
      return ends.reduce((sum, { partition, high }) => {
        return sum + Number(high) - Math.max(committed.get(partition) ?? 0, 0);
      }, 0);
    }
  }, 180_000);

  it('fault 11: poison goes to the dead letters with its reason, and orders go on', async () => {
    const { productId, saleId } = await system.givenProduct(stock);
    const first = await place(productId);
    await eventually(() => expectConfirmed(saleId, [first]));
    const [order] = await storedOrders(system, saleId);

    const producer = kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const send = (topic: string, ce_id: string, ce_type: string, value: unknown) =>
      producer.send({
        topic: named(topic),
        messages: Array.from({ length: 6 }, (_, partition) => ({
          partition,
          key: newId(),
          value: typeof value === 'string' ? value : JSON.stringify(value),
          headers: { ce_id, ce_type, ce_time: new Date().toISOString() },
        })),
      });
    // Into every partition, so that no order gets by.
    await send('order.created', 'bad-json', 'order.created.v1', '{"half');
    await send('inventory.result', 'unknown-type', 'inventory.result.v9', {});
    await send('order.status', 'misfit', 'order.status.v1', { orderId: 'x' });
    // Well-formed, and cannot be: the order has its units.
    await send('inventory.result', 'impossible', 'inventory.result.v1', {
      orderId: first,
      orderNumber: 'ORD-2026-000001',
      userId: order?.userId,
      saleId,
      outcome: 'REJECTED',
      paymentRequired: false,
      causationId: `${first}:1`,
    });
    await send('order.created', 'too-large', 'order.created.v1', 'x'.repeat(1024 * 1024 - 300));
    await producer.disconnect();

    const ids = [first];
    for (let placed = 0; placed < 12; placed += 1) ids.push(await place(productId));
    await eventually(() => expectConfirmed(saleId, ids), 30_000);
    await expectBalanced(system, saleId);

    const letters = openDeadLetters({
      brokers: String(system.env.KAFKA_BROKERS).split(','),
      namespace: system.namespace,
      log: createLogger({ service: 'e2e', level: 'silent' }),
    });
    await eventually(async () => {
      const found = await letters.list();
      const reasons = new Map(found.map((l) => [l.eventId, `${l.topic} ${l.reason} ${l.tries}`]));
      expect(Object.fromEntries(reasons)).toEqual({
        'bad-json': 'order.created undecodable 0',
        'too-large': 'order.created undecodable 0',
        'unknown-type': 'inventory.result undecodable 0',
        impossible: 'inventory.result handler-failed 3',
        misfit: 'order.status undecodable 0',
      });
      expect(found).toHaveLength(5 * 6);
    }, 30_000);
  }, 120_000);

  it('fault 9: a topic that is missing at the start of a service is made', async () => {
    await system.supervisor.stopPart('notifier-service');
    const admin = kafka().admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [named('order.status')] });
    await eventually(async () => {
      expect(await admin.listTopics()).not.toContain(named('order.status'));
    });
    await system.supervisor.start(['notifier-service']);
    expect(await admin.listTopics()).toContain(named('order.status'));
    await admin.disconnect();
    const { productId, saleId } = await system.givenProduct(stock);
    const ids = [await place(productId), await place(productId)];
    await eventually(() => expectConfirmed(saleId, ids), drainMs);
  }, 120_000);

  it('a consumer that ends for good takes its process along, and the supervisor brings it back', async () => {
    await system.supervisor.stopPart('kafka-processor');
    // Somebody in its group whose protocol is another one: the broker refuses the service for good.
    const stranger = kafka().consumer({
      groupId: named('quicksale.kafka-processor'),
      partitionAssigners: [
        () => ({
          name: 'Stranger',
          version: 1,
          assign: async () => [],
          protocol: () => ({ name: 'Stranger', metadata: Buffer.alloc(0) }),
        }),
      ],
    });
    await stranger.connect();
    await stranger.subscribe({ topic: named('inventory.result') });
    const joined = new Promise<void>((resolve) => {
      stranger.on(stranger.events.GROUP_JOIN, () => resolve());
    });
    await stranger.run({ eachMessage: async () => undefined });
    await joined;

    const ends: string[] = [];
    system.supervisor.on('down', ({ name, reason }) => {
      if (name === 'kafka-processor') ends.push(reason);
    });
    const started = system.supervisor.start(['kafka-processor']);
    await eventually(() => expect(ends).toContain('ended with exit code 1'), 30_000);
    await stranger.disconnect();
    await started;
    const { productId, saleId } = await system.givenProduct(stock);
    const ids = [await place(productId)];
    await eventually(() => expectConfirmed(saleId, ids), drainMs);
  }, 120_000);
});
