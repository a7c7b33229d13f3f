import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { Logger } from '../log/index.ts';
import type { Clock, Part } from '../process/index.ts';
import type { ConsumerOptions } from './bus.ts';
import { deliverBatch, type DeadLetterCause, type RetryPolicy } from './deliver-batch.ts';
import type { RawMessage } from './event-headers.ts';
import { patientRetry } from './kafka-retry.ts';

const heartbeatIntervalMs = 1_000;
/** A member that has not spoken with its group for so long does no work. */
const silenceLimitMs = 15_000;
const joinLimitMs = 5_000;

export interface ReceivedMessage extends RawMessage {
  partition: number;
  offset: string;
}

export interface KafkaConsumerOptions<T> extends ConsumerOptions<T> {
  kafka: Kafka;
  /** With the namespace. */
  topic: string;
  log: Logger;
  clock: Clock;
  policy: RetryPolicy;
  deadLetter: (message: ReceivedMessage, cause: DeadLetterCause) => Promise<void>;
  /** The consumer ended and will not come back by itself. */
  onCrash: (error: Error) => void;
}

/**
 * A member of a consumer group. `start` does not wait for the group: after a kill the coordinator
 * waits for the dead member's session to end, and the rest of the process should serve meanwhile.
 */
export function createKafkaConsumer<T>(options: KafkaConsumerOptions<T>): Part {
  const { kafka, topic, group, log, clock } = options;
  const stopping = new AbortController();
  let consumer: Consumer | undefined;
  let joining: Promise<void> | undefined;
  let problem: string | undefined = 'joining the group';
  let lastHeardMs = 0;

  function createMember(): Consumer {
    const member = kafka.consumer({
      groupId: group,
      sessionTimeout: 6_000,
      heartbeatInterval: heartbeatIntervalMs,
      rebalanceTimeout: 15_000,
      minBytes: 1,
      maxWaitTimeInMs: 100,
      allowAutoTopicCreation: false,
      retry: { ...patientRetry, restartOnFailure: () => Promise.resolve(!stopping.signal.aborted) },
    });
    const heard = () => {
      lastHeardMs = clock.now();
    };
    member.on(member.events.HEARTBEAT, heard);
    member.on(member.events.FETCH, heard);
    member.on(member.events.GROUP_JOIN, ({ payload }) => {
      heard();
      problem = undefined;
      log.info({ partitions: payload.memberAssignment[topic] ?? [] }, 'joined the group');
    });
    member.on(member.events.CRASH, ({ payload: { error, restart } }) => {
      if (stopping.signal.aborted) return;
      problem = `crashed: ${error.message}`;
      if (restart) return log.warn({ err: error }, 'the consumer starts again');
      log.fatal({ err: error }, 'the consumer ended');
      options.onCrash(error);
    });
    return member;
  }

  async function join(): Promise<void> {
    while (!stopping.signal.aborted) {
      const member = createMember();
      try {
        await member.connect();
        // A group without offsets starts with the first event: what came before it still counts.
        await member.subscribe({ topics: [topic], fromBeginning: true });
        consumer = member;
        await member.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: options.concurrency ?? 1,
          eachBatch: (payload) => processBatch(payload, options, stopping.signal),
        });
        return;
      } catch (error) {
        log.warn({ err: error }, 'the consumer could not start yet');
        await member.disconnect().catch(() => undefined);
        await sleep(500, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  }

  return {
    name: `consumer-${options.contract.topic}`,
    start: () => {
      joining = join();
      return Promise.resolve();
    },
    stop: async () => {
      problem = 'stopped';
      stopping.abort();
      // Disconnecting in the middle of a join makes kafkajs try again for minutes.
      await Promise.race([joining, sleep(joinLimitMs, undefined, { ref: false })]);
      await consumer?.disconnect();
    },
    check: () => {
      if (problem === undefined && clock.now() - lastHeardMs > silenceLimitMs)
        return Promise.resolve('the broker is silent');
      return Promise.resolve(problem);
    },
  };
}

/** One batch of one partition: effect first, then its offset. Heartbeats go on all the while. */
async function processBatch<T>(
  payload: EachBatchPayload,
  options: KafkaConsumerOptions<T>,
  stopping: AbortSignal,
): Promise<void> {
  const { topic, partition, messages } = payload.batch;
  const lost = new AbortController();
  const interrupted = AbortSignal.any([stopping, lost.signal]);
  const heartbeat = setInterval(() => {
    payload.heartbeat().catch((error: unknown) => lost.abort(harmless(error)));
  }, heartbeatIntervalMs);
  try {
    for (const chunk of inChunks(messages, options.batchLimit ?? 500)) {
      if (stopping.aborted || !payload.isRunning() || payload.isStale()) return;
      lost.signal.throwIfAborted();
      await deliverBatch(
        chunk.map((message) => receivedFrom(message, partition)),
        {
          contract: options.contract,
          handle: options.handle,
          policy: options.policy,
          log: options.log,
          deadLetter: options.deadLetter,
          wait: (delayMs) => sleep(delayMs, undefined, { signal: interrupted }),
        },
      );
      const last = chunk[chunk.length - 1]?.offset ?? '';
      payload.resolveOffset(last);
      // Names its offset, so that it is sent also while the consumer stops.
      const next = { partition, offset: String(BigInt(last) + 1n) };
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [next] }] });
    }
  } catch (error) {
    // Stopping: the offset stays, the next member does the batch again.
    if (stopping.aborted) return;
    // A lost partition: kafkajs' own error tells it to join again.
    throw lost.signal.aborted ? lost.signal.reason : error;
  } finally {
    clearInterval(heartbeat);
  }
}

/** kafkajs ends the consumer for good when it sees one of these. */
function harmless(error: unknown): unknown {
  const deadly = error instanceof TypeError || error instanceof SyntaxError;
  return deadly ? new Error('The heartbeat failed', { cause: error }) : error;
}

function receivedFrom(message: KafkaMessage, partition: number): ReceivedMessage {
  const headers: Record<string, Buffer | string | undefined> = {};
  for (const [name, value] of Object.entries(message.headers ?? {}))
    headers[name] = Array.isArray(value) ? value[0] : value;
  return { key: message.key, value: message.value, headers, partition, offset: message.offset };
}

function* inChunks<M>(messages: readonly M[], size: number): Generator<M[]> {
  for (let from = 0; from < messages.length; from += size) yield messages.slice(from, from + size);
}
