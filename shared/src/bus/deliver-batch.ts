import { AppError } from '../errors/index.ts';
import { withContext, type Logger } from '../log/index.ts';
import type { EventContract } from '../contracts/index.ts';
import type { Delivered } from './bus.ts';
import { decodeEvent, type DeadLetterReason, type RawMessage } from './event-headers.ts';

/** How often and how long a consumer tries. */
export interface RetryPolicy {
  /** Tries of a batch, and then of each of its events. */
  tries: number;
  firstDelayMs: number;
  longestDelayMs: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  tries: 3,
  firstDelayMs: 100,
  longestDelayMs: 5_000,
};

export interface DeadLetterCause {
  reason: DeadLetterReason;
  error: unknown;
  tries: number;
}

/** What an adapter lends to `deliverBatch`. */
export interface Delivery<T, M extends RawMessage> {
  contract: EventContract<T>;
  handle: (batch: readonly Delivered<T>[]) => Promise<void>;
  policy: RetryPolicy;
  log: Logger;
  /** Rejects when the consumer stops or loses the partition; the batch is then left as it is. */
  wait: (delayMs: number) => Promise<void>;
  /** Resolves when the message is safe in the dead-letter topic. */
  deadLetter: (message: M, cause: DeadLetterCause) => Promise<void>;
}

/**
 * Gets the effect of a batch done, whatever it takes, so that its offset may be committed:
 *
 *     cannot be decoded                 -> dead letter, at once
 *     handler: AppError `unavailable`   -> wait, again, without end
 *     handler: anything else            -> a few tries of the batch, then of each event alone,
 *                                          then dead letter for the event that still fails
 *
 * No error of a handler gets out of here: kafkajs stops for good on a TypeError.
 */
export async function deliverBatch<T, M extends RawMessage>(
  messages: readonly M[],
  delivery: Delivery<T, M>,
): Promise<void> {
  const decoded: { message: M; event: Delivered<T> }[] = [];
  for (const message of messages) {
    try {
      decoded.push({ message, event: decodeEvent(delivery.contract, message) });
    } catch (error) {
      await bury(message, { reason: 'undecodable', error, tries: 0 }, delivery);
    }
  }
  if (decoded.length === 0) return;
  const failure = await attempt(
    decoded.map(({ event }) => event),
    delivery,
  );
  if (!failure) return;
  for (const { message, event } of decoded) {
    const cause = decoded.length === 1 ? failure : await attempt([event], delivery);
    if (cause) await bury(message, { reason: 'handler-failed', ...cause }, delivery);
  }
}

/** Undefined once the handler succeeded; what it threw last when it did not. */
async function attempt<T, M extends RawMessage>(
  batch: readonly Delivered<T>[],
  { handle, policy, log, wait }: Delivery<T, M>,
): Promise<{ error: unknown; tries: number } | undefined> {
  let absences = 0;
  for (let tries = 1; ;) {
    try {
      await withBatchContext(batch, () => handle(batch));
      return undefined;
    } catch (error) {
      if (isUnavailable(error)) {
        if (absences === 0) log.warn({ err: error }, 'a store is away, the batch waits');
        await wait(backOffMs(policy, absences++));
        continue;
      }
      log.warn({ err: error, tries, events: batch.length }, 'a handler failed');
      if (tries === policy.tries) return { error, tries };
      await wait(backOffMs(policy, tries - 1));
      tries += 1;
    }
  }
}

async function bury<T, M extends RawMessage>(
  message: M,
  cause: DeadLetterCause,
  { deadLetter, policy, log, wait }: Delivery<T, M>,
): Promise<void> {
  const details = { err: cause.error, reason: cause.reason, eventId: headerOf(message, 'ce_id') };
  for (let absences = 0; ; absences += 1) {
    try {
      await deadLetter(message, cause);
      log.error(details, 'an event went to the dead-letter topic');
      return;
    } catch (error) {
      if (isUnavailable(error)) {
        await wait(backOffMs(policy, absences));
        continue;
      }
      // It stays in its topic, at an offset that this line names; nothing else may wait for it.
      log.error({ ...details, deadLetterError: error }, 'an event was skipped');
      return;
    }
  }
}

/** Log lines of a single event carry the ids of its cause; a mixed batch has no such ids. */
function withBatchContext<T>(batch: readonly Delivered<T>[], work: () => Promise<void>) {
  const requestId = batch.length === 1 ? batch[0]?.context.requestId : undefined;
  return requestId ? withContext({ ...batch[0]?.context, requestId }, work) : work();
}

/** Doubles up to the longest delay; half of it is left to chance, so that members spread. */
function backOffMs(policy: RetryPolicy, round: number): number {
  const full = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** Math.min(round, 16));
  return full / 2 + (Math.random() * full) / 2;
}

const isUnavailable = (error: unknown) => error instanceof AppError && error.kind === 'unavailable';
const headerOf = (message: RawMessage, name: string) => message.headers[name]?.toString();
