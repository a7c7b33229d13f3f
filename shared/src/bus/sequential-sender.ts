import { AppError, unavailable } from '../errors/index.ts';

/** Anything with a size that can be sent in a batch. */
export interface Sendable {
  bytes: number;
}

interface Entry<R> {
  record: R;
  call: Call;
}

export interface SequentialSender<R extends Sendable> {
  /**
   * Resolves when all records are sent; rejects with `unavailable` when that is not known, and with
   * `internal` when the broker refuses one of them for good: all others are sent then.
   */
  send(records: readonly R[]): Promise<void>;
  /** Refuses new calls and waits, at most `limitMs`, for what was taken on. */
  stop(limitMs: number): Promise<void>;
}

interface Call {
  left: number;
  over: boolean;
  /** Why the broker refuses one of its records. */
  refusal?: AppError;
  timer: NodeJS.Timeout;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * One batch in flight at a time; what is asked for meanwhile gathers into the next. That keeps the
 * order of calls and makes batches larger the slower the broker is.
 */
export function createSequentialSender<R extends Sendable>(options: {
  sendBatch: (records: readonly R[]) => Promise<void>;
  /** Whether the broker will never take what it was sent, at least not as one batch. */
  isRefusal: (error: unknown) => boolean;
  timeoutMs: number;
  batchRecords: number;
  batchBytes: number;
  queueRecords: number;
}): SequentialSender<R> {
  let queue: Entry<R>[] = [];
  let inFlight = new Set<Call>();
  let pump: Promise<void> | undefined;
  let stopped = false;

  function send(records: readonly R[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    if (stopped) return Promise.reject(unavailable('The bus is stopping'));
    if (queue.length + records.length > options.queueRecords)
      return Promise.reject(unavailable('Too many events are waiting to be sent'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => end(call, unavailable('The broker did not acknowledge in time')),
        options.timeoutMs,
      );
      const call: Call = { left: records.length, over: false, timer, resolve, reject };
      for (const record of records) queue.push({ record, call });
      pump ??= drain().finally(() => {
        pump = undefined;
      });
    });
  }

  async function drain(): Promise<void> {
    // Calls of the same turn go together.
    await Promise.resolve();
    while (queue.length > 0) {
      const batch = takeBatch();
      inFlight = new Set(batch.map(({ call }) => call));
      await sendHalving(batch);
    }
  }

  /** A batch that is refused is halved until what the broker does not take stands alone. */
  async function sendHalving(given: readonly Entry<R>[]): Promise<void> {
    // Of calls that were told meanwhile nothing more is sent.
    const batch = given.filter(({ call }) => !call.over);
    if (batch.length === 0) return;
    try {
      await options.sendBatch(batch.map(({ record }) => record));
    } catch (error) {
      if (!options.isRefusal(error)) {
        for (const { call } of batch) end(call, unavailable('The events were not sent', error));
        return;
      }
      if (batch.length > 1) {
        const half = Math.ceil(batch.length / 2);
        await sendHalving(batch.slice(0, half));
        return sendHalving(batch.slice(half));
      }
      for (const { call } of batch) call.refusal ??= new AppError('internal', { cause: error });
    }
    for (const { call } of batch) if (--call.left === 0) end(call, call.refusal);
  }

  function takeBatch() {
    let bytes = 0;
    let count = 0;
    for (const { record } of queue) {
      if (count === options.batchRecords) break;
      if (count > 0 && bytes + record.bytes > options.batchBytes) break;
      bytes += record.bytes;
      count += 1;
    }
    return queue.splice(0, count);
  }

  function end(call: Call, error?: unknown): void {
    if (call.over) return;
    call.over = true;
    clearTimeout(call.timer);
    if (error === undefined) return call.resolve();
    // The caller will ask again: what is still queued would only be sent twice.
    queue = queue.filter((entry) => entry.call !== call);
    call.reject(error);
  }

  async function stop(limitMs: number): Promise<void> {
    stopped = true;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((done) => (timer = setTimeout(done, limitMs)));
    await Promise.race([pump, limit]);
    clearTimeout(timer);
    const waiting = [...inFlight, ...queue.map(({ call }) => call)];
    for (const call of waiting) end(call, unavailable('The bus is stopping'));
  }

  return { send, stop };
}
