import type { Random } from '@quicksale/shared/process';
import { mulberry32 } from '../mulberry32.ts';

/** Chance that is the same again for the same seed. */
export interface SeededRandom extends Random {
  /** In [0, 1). */
  fraction(): number;
  isLikely(probability: number): boolean;
  pick<T>(all: readonly T[]): T;
}

export function createSeededRandom(seed: number): SeededRandom {
  const fraction = mulberry32(seed);
  let ids = 0;
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
