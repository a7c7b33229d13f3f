import type { Clock } from '@quicksale/shared/process';

export interface ReadThrough<T> {
  /** Callers that ask for the same key at the same time share one read. */
  get(key: string): Promise<T>;
  /** The next caller reads anew. */
  forget(key: string): void;
}

/** Remembers what was read for a while; of a read that fails nothing is remembered. */
export function createReadThrough<T>(options: {
  clock: Clock;
  read: (key: string) => Promise<T>;
  /** For how long; not at all where 0. */
  ttlMs: (value: T) => number;
  /** Beyond these the oldest are read anew: memory stays bounded. */
  most: number;
}): ReadThrough<T> {
  const known = new Map<string, { value: T; untilMs: number }>();
  const reading = new Map<string, Promise<T>>();

  function remember(key: string, value: T): void {
    known.delete(key);
    known.set(key, { value, untilMs: options.clock.now() + options.ttlMs(value) });
    const [oldest] = known.keys();
    if (known.size > options.most && oldest !== undefined) known.delete(oldest);
  }

  function startReading(key: string): Promise<T> {
    const read: Promise<T> = options.read(key).then((value) => {
      // Forgotten meanwhile: it may have been read before the change.
      if (reading.get(key) === read) remember(key, value);
      return value;
    });
    reading.set(key, read);
    const end = () => {
      if (reading.get(key) === read) reading.delete(key);
    };
    read.then(end, end);
    return read;
  }

  return {
    get: async (key) => {
      const entry = known.get(key);
      if (entry && options.clock.now() < entry.untilMs) return entry.value;
      return reading.get(key) ?? startReading(key);
    },
    forget: (key) => {
      known.delete(key);
      reading.delete(key);
    },
  };
}
