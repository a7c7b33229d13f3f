import { unavailable } from '../errors/index.ts';

/** Anything with a size that can be sent in a batch. */
export interface Sendable {
  bytes: number;
}

export interface SequentialSender<R extends Sendable> {
  /** Resolves when all records are sent; rejects with `unavailable` when that is not known. */
  send(records: readonly R[]): Promise<void>;
  /** Refuses new calls and waits, at most `limitMs`, for what was taken on. */
  stop(limitMs: number): Promise<void>;
}

interface Call {
  left: number;
  over: boolean;
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
  timeoutMs: number;
  batchRecords: number;
  batchBytes: number;
  queueRecords: number;
}): SequentialSender<R> {
  let queue: { record: R; call: Call }[] = [];
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
      const calls = new Set(batch.map(({ call }) => call));
      inFlight = calls;
      try {
        await options.sendBatch(batch.map(({ record }) => record));
        for (const { call } of batch) if (--call.left === 0) end(call);
      } catch (error) {
        for (const call of calls) end(call, unavailable('The events were not sent', error));
      }
    }
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
