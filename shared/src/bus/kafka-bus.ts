import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, Partitioners, type Admin, type Producer } from 'kafkajs';
import { topics } from '../contracts/index.ts';
import { AppError, unavailable } from '../errors/index.ts';
import { currentContext, type Logger } from '../log/index.ts';
import { systemClock, type Clock } from '../process/index.ts';
import type { Part } from '../process/service.ts';
import type { EventBus } from './bus.ts';
import { defaultRetryPolicy, type DeadLetterCause, type RetryPolicy } from './deliver-batch.ts';
import { deadLetterHeaders, encodeEvent } from './event-headers.ts';
import { createKafkaConsumer, type ReceivedMessage } from './kafka-consumer.ts';
import { kafkaLog } from './kafka-log.ts';
import { briskRetry, patientRetry } from './kafka-retry.ts';
import { createTopics, deadLetterTopic, measureLag } from './kafka-topics.ts';
import { createReopening } from './reopening.ts';
import { createSequentialSender } from './sequential-sender.ts';

/** The broker refuses batches above 1 MiB. */
const batchBytes = 512 * 1024;
const largestEventBytes = 900 * 1024;
/** Dead-letter topics take twice as much: what a topic has taken fits, with its reason. */
const largestLetterBytes = 1_900 * 1024;
/** Of a record beside its parts, generously. */
const framingBytes = 1_000;
const stopLimitMs = 3_000;

export interface BusOptions {
  brokers: readonly string[];
  /** Name of the service; also the source of its events. */
  clientId: string;
  namespace: string;
  log: Logger;
  clock?: Clock;
  policy?: RetryPolicy;
  /** Longest time that `publish` waits for acknowledgement. */
  publishTimeoutMs?: number;
  /** A consumer ended and will not come back by itself; the supervisor starts a new process. */
  onCrash?: (error: Error) => void;
  partitions?: number;
  replicationFactor?: number;
}

/** The bus as a part. It has no readiness check: an order is taken while Kafka is away. */
export interface BusConnection extends Part, EventBus {
  /** Creates topics and their dead-letter topics; waits for the broker as long as it takes. */
  ensureTopics(names: readonly string[]): Promise<void>;
}

/** Kafka behind the bus. Only this folder knows kafkajs. */
export function connectBus(options: BusOptions): BusConnection {
  const { log, namespace, clock = systemClock, policy = defaultRetryPolicy } = options;
  const named = (name: string) => (namespace ? `${namespace}.${name}` : name);
  const connection = {
    clientId: `quicksale-${options.clientId}`,
    brokers: [...options.brokers],
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    ...kafkaLog(log),
  };
  const kafka = new Kafka({ ...connection, retry: patientRetry });
  const admin = createReopening<Admin>(() =>
    new Kafka({ ...connection, retry: briskRetry }).admin(),
  );
  const producer = createReopening<Producer>(async () => {
    // A patient client that connects to nothing cannot be stopped for minutes.
    await admin.use((open) => open.describeCluster());
    return kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      // Idempotent producers lost acknowledged messages under stalls; duplicates are legal here.
      idempotent: false,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: patientRetry,
    });
  });
  const sender = createSequentialSender<KafkaRecord>({
    sendBatch,
    isRefusal,
    timeoutMs: options.publishTimeoutMs ?? 10_000,
    batchRecords: 1_000,
    batchBytes,
    queueRecords: 50_000,
  });
  let stopping = false;

  async function sendBatch(records: readonly KafkaRecord[]): Promise<void> {
    // A connection over which a refusal came is a good one.
    const refusal = await producer.use((open) =>
      sendRecords(open, records).catch((error: unknown) => {
        if (Error.isError(error) && isRefusal(error)) return error;
        throw error;
      }),
    );
    if (refusal !== undefined) throw refusal;
  }

  async function ensureTopics(names: readonly string[]): Promise<void> {
    const settings = {
      names: names.flatMap((name) => [named(name), deadLetterTopic(named(name))]),
      partitions: options.partitions ?? 6,
      replicationFactor: options.replicationFactor ?? 1,
    };
    for (let attempt = 0; !stopping; attempt += 1) {
      try {
        return await admin.use((open) => createTopics(open, settings));
      } catch (error) {
        if (attempt % 20 === 10) log.warn({ err: error }, 'waiting for Kafka');
        await sleep(200);
      }
    }
  }

  async function deadLetter(
    topic: string,
    group: string,
    message: ReceivedMessage,
    cause: DeadLetterCause,
  ): Promise<void> {
    const { partition, offset } = message;
    const why = { ...cause, topic, group, partition, offset, nowMs: clock.now() };
    const headers = { ...message.headers, ...deadLetterHeaders(why) };
    const { key, value } = message;
    // What came compressed goes out as it is.
    const bytes = Object.entries(headers).reduce(
      (sum, [name, text = '']) => sum + Buffer.byteLength(name) + Buffer.byteLength(text),
      (value?.length ?? 0) + (key?.length ?? 0) + framingBytes,
    );
    const letter = { topic: deadLetterTopic(topic), key, value, headers, bytes };
    await send([letter], largestLetterBytes);
  }

  async function send(
    records: readonly KafkaRecord[],
    largestBytes = largestEventBytes,
  ): Promise<void> {
    await sender.send(records.filter(({ bytes }) => bytes <= largestBytes));
    const tooLarge = records.find(({ bytes }) => bytes > largestBytes);
    if (tooLarge)
      throw new AppError('internal', {
        cause: new Error(`An event of ${tooLarge.bytes} bytes for ${tooLarge.topic} is too large`),
      });
  }

  return {
    name: 'kafka',
    ensureTopics,
    publish: async (events) => {
      const context = currentContext();
      const source = `/${options.clientId}`;
      const encoded = events.map((event) =>
        encodeEvent(event, { source, nowMs: clock.now(), context }),
      );
      await send(encoded.map((record) => ({ ...record, topic: named(record.topic) })));
    },
    createConsumer: (consumer) =>
      createKafkaConsumer({
        ...consumer,
        kafka,
        topic: named(consumer.contract.topic),
        group: named(consumer.group),
        log: log.child({ consumer: consumer.contract.topic }),
        clock,
        policy,
        onCrash: options.onCrash ?? (() => process.exit(1)),
        deadLetter: (message, cause) =>
          deadLetter(named(consumer.contract.topic), named(consumer.group), message, cause),
      }),
    lag: async (group, contract) => {
      try {
        return await admin.use((open) => measureLag(open, named(group), named(contract.topic)));
      } catch (error) {
        throw unavailable('The lag is not known', error);
      }
    },
    start: async () => {
      await ensureTopics(Object.values(topics));
      if (!stopping) await producer.use(() => Promise.resolve());
    },
    stop: async () => {
      stopping = true;
      await sender.stop(stopLimitMs);
      await Promise.all([producer.close(), admin.close()]);
    },
  };
}

interface KafkaRecord {
  topic: string;
  key: Buffer | string | null;
  value: Buffer | string | null;
  headers: Record<string, Buffer | string | undefined>;
  bytes: number;
}

/** Answers of the broker to what it will not take, however often it is sent. */
const refusals = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD']);

const isRefusal = (error: unknown): boolean =>
  refusals.has(String((error as { type?: unknown } | undefined)?.type));

async function sendRecords(producer: Producer, records: readonly KafkaRecord[]): Promise<void> {
  const byTopic = new Map<string, KafkaRecord[]>();
  for (const record of records) {
    const list = byTopic.get(record.topic);
    if (list) list.push(record);
    else byTopic.set(record.topic, [record]);
  }
  await producer.sendBatch({
    acks: -1,
    topicMessages: [...byTopic].map(([topic, messages]) => ({
      topic,
      messages: messages.map(({ key, value, headers }) => ({ key, value, headers })),
    })),
  });
}
