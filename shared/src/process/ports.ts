import { randomBytes, randomInt } from 'node:crypto';

/** Time as use cases see it; a simulation brings its own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Chance as use cases see it; a simulation brings its own. */
export interface Random {
  /** A fresh ObjectId as 24 hex digits, rising with `nowMs`. */
  objectId(nowMs: number): string;
  /** A whole number in [0, limit). */
  integer(limit: number): number;
}

export const systemClock: Clock = { now: () => Date.now() };

export function createSystemRandom(): Random {
  // ObjectId layout: 4 bytes of seconds, 5 bytes per process, 3 bytes counter.
  const perProcess = randomBytes(5).toString('hex');
  let counter = randomInt(0x1000000);
  return {
    objectId(nowMs) {
      counter = (counter + 1) % 0x1000000;
      const seconds = Math.floor(nowMs / 1000);
      return `${hex(seconds, 8)}${perProcess}${hex(counter, 6)}`;
    },
    integer: (limit) => randomInt(limit),
  };
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
