import { Kafka, Partitioners, type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { connectBus, type BusConnection } from '@quicksale/shared/bus';
import { orderCreated, type OrderCreated } from '@quicksale/shared/contracts';
import { createLogger } from '@quicksale/shared/log';
import type { Part } from '@quicksale/shared/process';
import { eventually, newId, testNamespace } from '@quicksale/shared/testing';
import { runDlq } from '../src/dlq.ts';

jest.setTimeout(60_000);

const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');
const log = createLogger({ service: 'test', level: 'silent' });
const namespace = testNamespace('dlq');
const env = { KAFKA_BROKERS: brokers.join(','), NAMESPACE: namespace };

const given = (): OrderCreated => ({
  orderId: newId(),
  orderNumber: 'ORD-2026-1',
  saleId: newId(),
  userId: newId(),
  items: [{ productId: newId(), quantity: 1 }],
  expiresAt: null,
  at: '2026-11-20T10:00:00.000Z',
});

interface Row {
  name: string;
  topic: string;
  partition: number;
  offset: string;
  eventId?: string;
  type?: string;
  reason: string;
  error: string;
  tries: number;
  at: string;
}

async function run(...args: string[]): Promise<string> {
  let output = '';
  await runDlq({ args, env, stackEnv: {}, write: (text) => void (output += text) });
  return output;
}
const list = async (...args: string[]) => JSON.parse(await run('list', '--json', ...args)) as Row[];

describe('dlq', () => {
  let bus: BusConnection;
  let producer: Producer;
  let consumer: Part;
  /** Orders that the consumer cannot take. */
  const impossible = new Set<string>();
  const seen: { id: string; data: OrderCreated }[] = [];
  beforeAll(async () => {
    const policy = { tries: 2, firstDelayMs: 5, longestDelayMs: 20 };
    bus = connectBus({ brokers, clientId: 'test', namespace, log, policy, partitions: 2 });
    await bus.start();
    producer = new Kafka({ brokers, logLevel: 0 }).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    consumer = bus.createConsumer({
      contract: orderCreated,
      group: 'quicksale.test',
      handle: async (batch) => {
        if (batch.some(({ data }) => impossible.has(data.orderId)))
          throw new Error('this order cannot be');
        seen.push(...batch);
      },
    });
    await consumer.start();
  });
  afterAll(async () => {
    await consumer?.stop();
    await producer?.disconnect();
    await bus?.stop();
  });

  const publishRaw = (key: string, value: string | Buffer, headers: Record<string, string>) =>
    producer.send({
      topic: `${namespace}.${orderCreated.topic}`,
      messages: [{ key, value, headers }],
    });

  it('says so when there is nothing', async () => {
    expect(await list()).toEqual([]);
    expect(await run('list')).toContain('No open dead letters');
    expect(JSON.parse(await run('replay', '--all', '--json'))).toEqual({ replayed: [] });
  });

  it('lists poison of every kind with its reason, while the partition goes on', async () => {
    const poison = given();
    impossible.add(poison.orderId);
    const key = poison.orderId;
    const type = { ce_type: 'order.created.v1', ce_id: 'bad-json' };
    await publishRaw(key, '{"half', type);
    await publishRaw(key, JSON.stringify(given()), { ce_type: 'order.created.v9', ce_id: 'newer' });
    await bus.publish([orderCreated.event(poison)]);
    // The largest message that the topic takes: its letter, with the reason on it, is larger.
    await publishRaw(key, 'x'.repeat(1024 * 1024 - 300), { ...type, ce_id: 'large' });
    const fine = given();
    await publishRaw(key, JSON.stringify(fine), { ...type, ce_id: 'fine' });
    await eventually(() => expect(seen.map(({ id }) => id)).toContain('fine'), 30_000);

    const rows = await list();
    const byId = Object.fromEntries(rows.map((row) => [row.eventId, row]));
    expect(rows).toHaveLength(4);
    expect(byId['bad-json']).toMatchObject({
      topic: 'order.created',
      type: 'order.created.v1',
      reason: 'undecodable',
      tries: 0,
      error: expect.stringContaining('JSON'),
      at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(byId.newer).toMatchObject({ reason: 'undecodable', type: 'order.created.v9' });
    expect(byId.large).toMatchObject({ reason: 'undecodable' });
    expect(byId[`${key}:1`]).toMatchObject({
      reason: 'handler-failed',
      tries: 2,
      error: 'Error: this order cannot be',
    });
    expect(await run('list', 'order.created')).toContain('4 messages.');
    expect(await list('order.status')).toEqual([]);

    const name = String(byId['bad-json']?.name);
    const shown = JSON.parse(await run('show', name, '--json')) as Record<string, unknown>;
    expect(shown).toMatchObject({ key, body: { text: '{"half' }, headers: type });
    expect(await run('show', name)).toContain('{"half');
  });

  it('replays one with its own bytes once its cause has gone, and it is open no more', async () => {
    const [row] = (await list()).filter(({ reason }) => reason === 'handler-failed');
    const orderId = String(row?.eventId).split(':')[0] ?? '';
    await expect(run('replay', String(row?.name))).rejects.toThrow('Send 1 message');
    expect((await list()).map(({ name }) => name)).toContain(row?.name);

    impossible.delete(orderId);
    expect(await run('replay', String(row?.name), '--yes')).toContain('1 message sent again');
    await eventually(() => expect(seen.map(({ id }) => id)).toContain(`${orderId}:1`));
    expect((await list()).map(({ name }) => name)).not.toContain(row?.name);
    expect(await list()).toHaveLength(3);
    await expect(run('replay', String(row?.name), '--yes')).rejects.toThrow('no open dead letter');
  });

  it('what fails again is a letter of its own, with the original bytes', async () => {
    const before = await list();
    const { replayed } = JSON.parse(await run('replay', 'order.created', '--yes', '--json')) as {
      replayed: string[];
    };
    expect(replayed.sort()).toEqual(before.map(({ name }) => name).sort());
    const after = await eventually(async () => {
      const rows = await list();
      expect(rows).toHaveLength(3);
      expect(rows.map(({ name }) => name).filter((name) => replayed.includes(name))).toEqual([]);
      return rows;
    });
    const sizes = await Promise.all(
      after.map(async ({ name, eventId }) => {
        const shown = JSON.parse(await run('show', name, '--json')) as { body: { text: string } };
        return [eventId, shown.body.text.length];
      }),
    );
    expect(Object.fromEntries(sizes)).toMatchObject({ 'bad-json': 6, large: 1024 * 1024 - 300 });
  });

  it('asks the person who is there', async () => {
    const questions: string[] = [];
    const confirm = async (question: string) => {
      questions.push(question);
      return false;
    };
    const write = () => undefined;
    await runDlq({ args: ['replay', '--all'], env, stackEnv: {}, write, confirm });
    expect(questions).toEqual(['Send 3 messages to order.created again?']);
    expect(await list()).toHaveLength(3);
  });

  it.each([[], ['list', 'nothing'], ['show'], ['show', 'order.created'], ['replay'], ['eat']])(
    'refuses what cannot be meant: %j',
    async (...args) => {
      await expect(run(...args)).rejects.toThrow();
    },
  );
});
