/** Chance that a seed decides: the same seed draws the same numbers, on every machine. */
export interface SeededRandom {
  /** In [0, 1). */
  fraction(): number;
  /** A whole number in [0, limit). */
  integer(limit: number): number;
  /** A whole number in [least, most]. */
  between(least: number, most: number): number;
  isLikely(probability: number): boolean;
  /** Throws when there is nothing to pick from. */
  pick<T>(from: readonly T[]): T;
  /** By weight. */
  weighted<T extends { weight: number }>(from: readonly T[]): T;
  shuffled<T>(from: readonly T[]): T[];
  /** So many hex digits. */
  hex(digits: number): string;
  /** Another source that this one's later draws do not move. */
  fork(name: string): SeededRandom;
}

export function seededRandom(seed: number): SeededRandom {
  const fraction = mulberry32(seed);
  const integer = (limit: number) => Math.floor(fraction() * limit);
  const pick = <T>(from: readonly T[]): T => {
    if (from.length === 0) throw new Error('nothing to pick from');
    return from[integer(from.length)] as T;
  };
  return {
    fraction,
    integer,
    pick,
    between: (least, most) => least + integer(most - least + 1),
    isLikely: (probability) => fraction() < probability,
    weighted: (from) => {
      let left = fraction() * from.reduce((sum, { weight }) => sum + weight, 0);
      for (const one of from) {
        left -= one.weight;
        if (left < 0) return one;
      }
      return pick(from);
    },
    shuffled: (from) => {
      const rest = [...from];
      return from.map(() => rest.splice(integer(rest.length), 1)).flat();
    },
    hex: (digits) => Array.from({ length: digits }, () => integer(16).toString(16)).join(''),
    fork: (name) =>
      seededRandom([...name].reduce((sum, c) => (Math.imul(sum, 31) + c.charCodeAt(0)) | 0, seed)),
  };
}

/** Numbers in [0, 1): mulberry32, with 32 bits of state, which is more than a run needs. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
