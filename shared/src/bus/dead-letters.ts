import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, Partitioners, type Admin, type KafkaMessage, type Message } from 'kafkajs';
import { topics, type Topic } from '../contracts/index.ts';
import { unavailable } from '../errors/index.ts';
import type { Logger } from '../log/index.ts';
import { systemClock, type Clock } from '../process/index.ts';
import { deadLetterPrefix } from './event-headers.ts';
import { kafkaLog } from './kafka-log.ts';
import { briskRetry } from './kafka-retry.ts';
import { deadLetterTopic } from './kafka-topics.ts';

/** A message that could not be delivered and has not been sent again yet. */
export interface OpenLetter {
  /** The topic that it came from, without the namespace. */
  topic: Topic;
  /** Where it lies in the dead-letter topic: these three name it. */
  partition: number;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  /** As they were when it was published. */
  headers: Readonly<Record<string, Buffer>>;
  eventId: string | undefined;
  type: string | undefined;
  reason: string;
  error: string;
  tries: number;
  /** When it was given up. */
  at: string;
  /** The group that could not take it, and where it lies in the original topic. */
  group: string | undefined;
  origin: { partition: number; offset: string } | undefined;
}

export interface DeadLetters {
  /** Every open letter of these topics, oldest first. */
  list(of?: readonly Topic[]): Promise<OpenLetter[]>;
  /**
   * Publishes letters to their original topics with their original key, body and headers, then notes
   * that. A crash between the two leaves them open: sending an event again is legal.
   */
  replay(letters: readonly OpenLetter[]): Promise<void>;
}

/** Header of the message that says which letter of its dead-letter topic was replayed. */
const replayedHeader = `${deadLetterPrefix}replayed`;
const readLimitMs = 30_000;

/**
 * The dead-letter topics, for an operator. A topic cannot forget a message, so a replay is noted by a
 * message without a body behind the letter; a letter with such a note is not open any more.
 */
export function openDeadLetters(options: {
  brokers: readonly string[];
  namespace: string;
  log: Logger;
  clock?: Clock;
}): DeadLetters {
  const { namespace, log, clock = systemClock } = options;
  const prefix = namespace && `${namespace}.`;
  const kafka = new Kafka({
    clientId: 'quicksale-dlq',
    brokers: [...options.brokers],
    connectionTimeout: 3_000,
    retry: briskRetry,
    ...kafkaLog(log),
  });

  return {
    list: async (of = Object.values(topics)) => {
      const byName = new Map(of.map((topic) => [deadLetterTopic(prefix + topic), topic]));
      const found: OpenLetter[] = [];
      const replayed = new Set<string>();
      await reaching(() =>
        readWhole(kafka, prefix, [...byName.keys()], (name, partition, message) => {
          const topic = byName.get(name);
          if (!topic) return;
          const note = noteOf(message);
          if (note) replayed.add(`${topic}/${note}`);
          else found.push(readLetter(topic, partition, message));
        }),
      );
      return found
        .filter((letter) => !replayed.has(letterName(letter)))
        .sort((a, b) => compare(a.at, b.at) || compare(letterName(a), letterName(b)));
    },

    replay: async (letters) => {
      if (letters.length === 0) return;
      const producer = kafka.producer({
        createPartitioner: Partitioners.DefaultPartitioner,
        idempotent: false,
        allowAutoTopicCreation: false,
      });
      await reaching(async () => {
        await producer.connect();
        try {
          for (const letter of letters) {
            const { topic, key, value, headers, partition, offset } = letter;
            const send = (name: string, message: Message) =>
              producer.send({ acks: -1, topic: name, messages: [message] });
            await send(prefix + topic, { key, value, headers });
            const at = new Date(clock.now()).toISOString();
            const note = { [replayedHeader]: `${partition}/${offset}`, dlq_time: at };
            // In the letter's partition: it is never kept for a shorter time than the letter.
            const noted = { key, value: null, headers: note, partition };
            await send(deadLetterTopic(prefix + topic), noted);
          }
        } finally {
          await producer.disconnect();
        }
      });
    },
  };
}

/** `order.created/3/17`: what an operator calls a letter. */
export const letterName = ({ topic, partition, offset }: OpenLetter): string =>
  `${topic}/${partition}/${offset}`;

function readLetter(topic: Topic, partition: number, message: KafkaMessage): OpenLetter {
  const headers = headersOf(message);
  const text = (name: string) => headers[name]?.toString();
  const [originPartition, originOffset] = [text('dlq_partition'), text('dlq_offset')];
  const kept = Object.entries(headers).filter(([name]) => !name.startsWith(deadLetterPrefix));
  return {
    topic,
    partition,
    offset: message.offset,
    key: message.key,
    value: message.value,
    headers: Object.fromEntries(kept),
    eventId: text('ce_id'),
    type: text('ce_type'),
    reason: text('dlq_reason') ?? 'unknown',
    error: text('dlq_error') ?? '',
    tries: Number(text('dlq_tries') ?? 0),
    at: text('dlq_time') ?? new Date(Number(message.timestamp)).toISOString(),
    group: text('dlq_group'),
    origin:
      originPartition !== undefined && originOffset !== undefined
        ? { partition: Number(originPartition), offset: originOffset }
        : undefined,
  };
}

function noteOf(message: KafkaMessage): string | undefined {
  const headers = headersOf(message);
  // A letter has a reason, whatever else a foreign producer may have put on it.
  return headers.dlq_reason ? undefined : headers[replayedHeader]?.toString();
}

function headersOf({ headers = {} }: KafkaMessage): Record<string, Buffer> {
  const entries = Object.entries(headers).flatMap(([name, value]) => {
    const [first] = Array.isArray(value) ? value : [value];
    return first === undefined ? [] : [[name, Buffer.from(first)] as const];
  });
  return Object.fromEntries(entries);
}

/** Everything that is in topics at this moment; a topic that is not there has nothing. */
async function readWhole(
  kafka: Kafka,
  prefix: string,
  names: readonly string[],
  take: (topic: string, partition: number, message: KafkaMessage) => void,
): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const open = await readEnds(admin, names);
    if (open.size > 0) await readUntil(kafka, admin, `${prefix}quicksale.dlq`, open, take);
  } finally {
    await admin.disconnect();
  }
}

/** `topic/partition` to the offset behind its last message, where there is any. */
async function readEnds(admin: Admin, names: readonly string[]): Promise<Map<string, bigint>> {
  const existing = new Set(await admin.listTopics());
  const ends = new Map<string, bigint>();
  for (const name of names.filter((one) => existing.has(one)))
    for (const { partition, low, high } of await admin.fetchTopicOffsets(name))
      if (BigInt(high) > BigInt(low)) ends.set(`${name}/${partition}`, BigInt(high));
  return ends;
}

/** kafkajs reads in groups only: this one is nobody's, and goes again. */
async function readUntil(
  kafka: Kafka,
  admin: Admin,
  group: string,
  open: Map<string, bigint>,
  take: (topic: string, partition: number, message: KafkaMessage) => void,
): Promise<void> {
  const groupId = `${group}-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 50, allowAutoTopicCreation: false });
  const ends = new Map(open);
  const next = new Map<string, bigint>();
  const limit = new AbortController();
  try {
    await consumer.connect();
    const read = [...new Set([...open.keys()].map((key) => key.slice(0, key.lastIndexOf('/'))))];
    await consumer.subscribe({ topics: read, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      sleep(readLimitMs, undefined, { signal: limit.signal }).then(
        () => reject(new Error('The dead letters were not read in time')),
        () => undefined,
      );
      consumer
        .run({
          autoCommit: false,
          eachBatch: async ({ batch: { topic, partition, messages } }) => {
            const key = `${topic}/${partition}`;
            for (const message of messages) {
              const end = ends.get(key) ?? 0n;
              const offset = BigInt(message.offset);
              // A rebalance delivers again.
              if (offset >= end || offset < (next.get(key) ?? 0n)) continue;
              take(topic, partition, message);
              next.set(key, offset + 1n);
              if (offset + 1n === end) ends.delete(key);
            }
            if (ends.size === 0) resolve();
          },
        })
        .catch(reject);
    });
  } finally {
    limit.abort();
    await consumer.disconnect();
    // Best effort: an empty group without offsets is forgotten by the broker anyway.
    await admin.deleteGroups([groupId]).catch(() => undefined);
  }
}

async function reaching<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unavailable('Kafka cannot be asked for dead letters', error);
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
