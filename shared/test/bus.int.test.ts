import { CompressionTypes, Kafka, Partitioners } from 'kafkajs';
import { describe, expect, it, jest } from '@jest/globals';
import { connectBus, type DeadLetter, type EventBus } from '../src/bus/index.ts';
import { orderCreated, topics } from '../src/contracts/index.ts';
import { unavailable } from '../src/errors/index.ts';
import { createLogger, type Logger } from '../src/log/index.ts';
import { eventually, testNamespace } from '../src/testing/index.ts';
import { describeBus, sampleOrder } from './bus-suite.ts';

jest.setTimeout(30_000);

const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');
const log = createLogger({ service: 'test', level: process.env.LOG_LEVEL ?? 'silent' });
const policy = { tries: 2, firstDelayMs: 10, longestDelayMs: 50 };
const open = (namespace: string) =>
  connectBus({ brokers, clientId: 'test', namespace, log, policy, partitions: 2 });

describeBus('Kafka bus', async () => {
  const namespace = testNamespace('bus');
  const bus = open(namespace);
  await bus.start();
  const kafka = new Kafka({ brokers, logLevel: 0 });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  return {
    bus,
    group: 'quicksale.test',
    publishRaw: async (topic, message) => {
      await producer.send({ topic: `${namespace}.${topic}`, messages: [message] });
    },
    deadLetters: (topic) => readAll(kafka, `${namespace}.${topic}.dlq`),
    close: async () => {
      await producer.disconnect();
      await bus.stop();
    },
  };
});

/** Everything in a topic right now. */
async function readAll(kafka: Kafka, topic: string): Promise<DeadLetter[]> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const expected = ends.reduce((sum, { high }) => sum + Number(high), 0);
  const letters: DeadLetter[] = [];
  if (expected === 0) return letters;
  const consumer = kafka.consumer({ groupId: `reader-${topic}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers } }) => {
      const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]);
      letters.push({ key, value, headers: Object.fromEntries(texts) });
    },
  });
  await eventually(() => expect(letters).toHaveLength(expected));
  await consumer.disconnect();
  return letters;
}

describe('connecting', () => {
  it('several services may create the topics at the same time', async () => {
    const namespace = testNamespace('bus');
    const buses = [open(namespace), open(namespace), open(namespace)];
    await Promise.all(buses.map((bus) => bus.start()));
    await Promise.all(buses.map((bus) => bus.publish([orderCreated.event(sampleOrder(1))])));
    await buses[0]?.ensureTopics(Object.values(topics));
    await Promise.all(buses.map((bus) => bus.stop()));
  });

  it('start waits for a broker that is not there and can be stopped', async () => {
    const bus = connectBus({ brokers: ['127.0.0.1:1'], clientId: 'test', namespace: '', log });
    const started = bus.start();
    await bus.stop();
    await started;
  });

  it('publish is refused after a bounded time while no broker is there', async () => {
    const bus = connectBus({
      brokers: ['127.0.0.1:1'],
      clientId: 'test',
      namespace: '',
      log,
      publishTimeoutMs: 200,
    });
    await expect(bus.publish([orderCreated.event(sampleOrder(1))])).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
    await expect(bus.lag('g', orderCreated)).rejects.toMatchObject({ kind: 'unavailable' });
    await bus.stop();
  });
});

describe('poison', () => {
  it('that is too large for a letter once it is unpacked is skipped', async () => {
    const namespace = testNamespace('bus');
    const bus = open(namespace);
    await bus.start();
    const producer = new Kafka({ brokers, logLevel: 0 }).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    const fine = orderCreated.event(sampleOrder(1));
    const headers = { 'x-padding': 'x'.repeat(3_000_000) };
    await producer.send({
      topic: `${namespace}.${orderCreated.topic}`,
      compression: CompressionTypes.GZIP,
      messages: [{ key: fine.key, value: '{', headers }],
    });
    await bus.publish([fine]);
    const seen: string[] = [];
    const consumer = bus.createConsumer({
      contract: orderCreated,
      group: 'quicksale.test',
      handle: async (batch) => void seen.push(...batch.map(({ id }) => id)),
    });
    await consumer.start();
    try {
      await eventually(() => expect(seen).toEqual([fine.id]), 15_000);
    } finally {
      await consumer.stop();
      await producer.disconnect();
      await bus.stop();
    }
  });
});

describe('members', () => {
  const publishMany = (bus: EventBus) =>
    bus.publish(Array.from({ length: 40 }, (_, n) => orderCreated.event(sampleOrder(n))));

  it('one that waits for a store lets others join and take partitions', async () => {
    const bus = open(testNamespace('bus'));
    await bus.start();
    let tries = 0;
    const waiting = bus.createConsumer({
      contract: orderCreated,
      group: 'quicksale.test',
      handle: async () => {
        tries += 1;
        throw unavailable('the store is away');
      },
    });
    await waiting.start();
    await publishMany(bus);
    await eventually(() => expect(tries).toBeGreaterThan(2));
    let seen = 0;
    const working = bus.createConsumer({
      contract: orderCreated,
      group: 'quicksale.test',
      handle: async (batch) => {
        seen += batch.length;
      },
    });
    await working.start();
    await eventually(() => expect(seen).toBeGreaterThan(0));
    await Promise.all([waiting.stop(), working.stop()]);
    await bus.stop();
  });

  it('one that ends because of a defect tells it', async () => {
    // A defect outside every handler: writing the log fails with a TypeError.
    const broken: Logger = new Proxy(log, {
      get: (target, name, receiver) => {
        if (name === 'child') return () => broken;
        if (name !== 'warn') return Reflect.get(target, name, receiver) as unknown;
        return (_fields: unknown, message: string) => {
          if (message === 'a handler failed') throw new TypeError('a defect');
        };
      },
    });
    const crashes: Error[] = [];
    const bus = connectBus({
      brokers,
      clientId: 'test',
      namespace: testNamespace('bus'),
      log: broken,
      policy,
      partitions: 2,
      onCrash: (error) => crashes.push(error),
    });
    await bus.start();
    const consumer = bus.createConsumer({
      contract: orderCreated,
      group: 'quicksale.test',
      handle: async () => {
        throw new Error('no');
      },
    });
    await consumer.start();
    await eventually(async () => expect(await consumer.check?.()).toBe(undefined));
    await publishMany(bus);
    await eventually(() => expect(crashes).toHaveLength(1));
    expect(crashes[0]?.message).toBe('a defect');
    expect(await consumer.check?.()).toBe('crashed: a defect');
    await consumer.stop();
    await bus.stop();
  });
});
