import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Topic } from '../contracts/index.ts';
import { currentContext, type Logger } from '../log/index.ts';
import { systemClock, type Clock } from '../process/index.ts';
import type { Part } from '../process/service.ts';
import type { ConsumerOptions, EventBus } from './bus.ts';
import { defaultRetryPolicy, deliverBatch, type RetryPolicy } from './deliver-batch.ts';
import { deadLetterHeaders, encodeEvent, type RawMessage } from './event-headers.ts';

export interface DeadLetter extends RawMessage {
  headers: Readonly<Record<string, string>>;
}

export interface MemoryBus extends EventBus {
  /** Puts a message as it is into the topic, as a foreign producer might. */
  publishRaw(topic: Topic, message: { key: string; value: string; headers: Headers }): void;
  deadLetters(topic: Topic): readonly DeadLetter[];
  /** Sets every group back to the first event: everything is delivered again. */
  rewind(): void;
}

type Headers = Readonly<Record<string, string>>;
interface Stored extends RawMessage {
  partition: number;
  offset: string;
}

/** One group on one topic: what is committed per partition and who works on it now. */
interface Group {
  next: number[];
  busy: boolean[];
}

/** The bus in memory, for tests and simulations: same rules, no broker. */
export function createMemoryBus(options: {
  log: Logger;
  clock?: Clock;
  policy?: RetryPolicy;
  partitions?: number;
}): MemoryBus {
  const { log, clock = systemClock, policy = defaultRetryPolicy, partitions = 3 } = options;
  const logs = new Map<Topic, Stored[][]>();
  const buried = new Map<Topic, DeadLetter[]>();
  const groups = new Map<string, Group>();
  const arrivals = new EventEmitter().setMaxListeners(0);

  const logOf = (topic: Topic) =>
    upsert(logs, topic, () => Array.from({ length: partitions }, () => []));
  const groupOf = (name: string, topic: Topic) =>
    upsert(groups, `${topic}/${name}`, () => ({
      next: Array.from({ length: partitions }, () => 0),
      busy: Array.from({ length: partitions }, () => false),
    }));

  function append(topic: Topic, key: string, value: string, headers: Headers): void {
    const partition = [...key].reduce((sum, char) => sum + char.charCodeAt(0), 0) % partitions;
    const messages = logOf(topic)[partition] ?? [];
    const offset = String(messages.length);
    messages.push({ key: Buffer.from(key), value: Buffer.from(value), headers, partition, offset });
    arrivals.emit(topic);
  }

  function createConsumer<T>(consumer: ConsumerOptions<T>): Part {
    const { contract, batchLimit = 500 } = consumer;
    const topic = contract.topic;
    const group = groupOf(consumer.group, topic);
    const stopping = new AbortController();
    const working = new Set<Promise<void>>();

    async function work(partition: number): Promise<void> {
      group.busy[partition] = true;
      try {
        for (;;) {
          const from = group.next[partition] ?? 0;
          const chunk = logOf(topic)[partition]?.slice(from, from + batchLimit) ?? [];
          if (chunk.length === 0 || stopping.signal.aborted) return;
          await deliverBatch(chunk, {
            contract,
            handle: consumer.handle,
            policy,
            log,
            wait: (delayMs) => sleep(delayMs, undefined, { signal: stopping.signal }),
            deadLetter: async (message, cause) => {
              const why = { ...cause, topic, group: consumer.group, nowMs: clock.now() };
              const place = { partition, offset: message.offset };
              const headers = { ...(message.headers as Headers) };
              Object.assign(headers, deadLetterHeaders({ ...why, ...place }));
              upsert(buried, topic, () => []).push({ ...message, headers });
            },
          });
          // A rewind in the meantime wins.
          if (group.next[partition] === from) group.next[partition] = from + chunk.length;
        }
      } catch (error) {
        if (!stopping.signal.aborted) throw error;
      } finally {
        group.busy[partition] = false;
        arrivals.emit(topic);
      }
    }

    function wake(): void {
      if (stopping.signal.aborted) return;
      for (let partition = 0; partition < partitions; partition += 1) {
        const backlog = (logOf(topic)[partition]?.length ?? 0) > (group.next[partition] ?? 0);
        if (!backlog || group.busy[partition]) continue;
        const done = work(partition).finally(() => working.delete(done));
        working.add(done);
      }
    }

    return {
      name: `consumer-${topic}`,
      start: async () => {
        arrivals.on(topic, wake);
        wake();
      },
      stop: async () => {
        stopping.abort();
        arrivals.off(topic, wake);
        await Promise.all(working);
      },
      check: async () => (stopping.signal.aborted ? 'stopped' : undefined),
    };
  }

  return {
    publish: async (events) => {
      const context = currentContext();
      for (const event of events) {
        const { key, value, headers } = encodeEvent(event, {
          source: '/memory',
          nowMs: clock.now(),
          context,
        });
        append(event.topic, key, value, headers);
      }
    },
    createConsumer,
    lag: async (group, { topic }) => {
      const { next } = groupOf(group, topic);
      return logOf(topic).reduce((sum, list, n) => sum + list.length - (next[n] ?? 0), 0);
    },
    publishRaw: (topic, { key, value, headers }) => append(topic, key, value, headers),
    deadLetters: (topic) => buried.get(topic) ?? [],
    rewind: () => {
      for (const group of groups.values()) group.next.fill(0);
      for (const topic of logs.keys()) arrivals.emit(topic);
    },
  };
}

function upsert<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const existing = map.get(key);
  if (existing !== undefined) return existing;
  const created = create();
  map.set(key, created);
  return created;
}
