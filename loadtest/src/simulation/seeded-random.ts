import type { Random } from '@quicksale/shared/process';

/** Chance that is the same again for the same seed. */
export interface SeededRandom extends Random {
  /** In [0, 1). */
  fraction(): number;
  isLikely(probability: number): boolean;
  pick<T>(all: readonly T[]): T;
}

/** Mulberry32: 32 bits of state, and far more numbers than a run needs. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  let ids = 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (limit: number) => Math.floor(fraction() * limit);
  return {
    fraction,
    integer,
    isLikely: (probability) => fraction() < probability,
    pick: (all) => all[integer(all.length)] as (typeof all)[number],
    // As an ObjectId: seconds, then a counter.
    objectId: (nowMs) => {
      ids += 1;
      return hex(Math.floor(nowMs / 1_000), 8) + hex(ids, 16);
    },
  };
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
