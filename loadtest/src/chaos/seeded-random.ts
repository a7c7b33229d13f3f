import { mulberry32 } from '../mulberry32.ts';

/** Chance that a seed decides: the same seed draws the same numbers, on every machine. */
export interface SeededRandom {
  /** In [0, 1). */
  fraction(): number;
  /** A whole number in [least, most]. */
  integer(least: number, most: number): number;
  chance(probability: number): boolean;
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
  const integer = (least: number, most: number) =>
    least + Math.floor(fraction() * (most - least + 1));
  const pick = <T>(from: readonly T[]): T => {
    const chosen = from[integer(0, from.length - 1)];
    if (chosen === undefined) throw new Error('nothing to pick from');
    return chosen;
  };
  return {
    fraction,
    integer,
    pick,
    chance: (probability) => fraction() < probability,
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
      return from.map(() => rest.splice(integer(0, rest.length - 1), 1)).flat();
    },
    hex: (digits) => Array.from({ length: digits }, () => integer(0, 15).toString(16)).join(''),
    fork: (name) =>
      seededRandom([...name].reduce((sum, c) => (Math.imul(sum, 31) + c.charCodeAt(0)) | 0, seed)),
  };
}
