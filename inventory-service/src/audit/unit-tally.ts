import type { NumberedUnit } from './compare.ts';

/** Where a unit was seen. */
export const seen = { free: 1, held: 2, live: 4, sold: 8 } as const;

/**
 * Where each unit of a sale was seen: a byte per unit up to the highest one seen, however many orders
 * there are and however many units nobody has asked for yet: those a merchant adds by the million.
 * Units beyond the last one that a product has are kept apart; there should be none.
 */
export function createUnitTally(lasts: ReadonlyMap<string, number>) {
  const places = new Map([...lasts.keys()].map((id) => [id, new Uint8Array()]));
  const outside: NumberedUnit[] = [];

  /** The places of a product, with room for one of its units. */
  function withRoom(productId: string, unit: number): Uint8Array | undefined {
    const last = lasts.get(productId) ?? 0;
    const units = places.get(productId);
    if (!units || !(unit > 0 && unit <= last)) return undefined;
    if (unit < units.length) return units;
    const larger = new Uint8Array(Math.min(Math.max(unit + 1, units.length * 2), last + 1));
    larger.set(units);
    places.set(productId, larger);
    return larger;
  }

  return {
    outside,
    /** Notes a place; resolves to the places where the unit was seen before. */
    note: (where: number, { productId, unit }: NumberedUnit): number => {
      const units = withRoom(productId, unit);
      if (!units) {
        if (outside.length < mostOutside) outside.push({ productId, unit });
        return 0;
      }
      const before = units[unit] ?? 0;
      units[unit] = before | where;
      return before;
    },
    /** Takes a place off all units. */
    forget: (where: number): void => {
      for (const units of places.values())
        for (let unit = 0; unit < units.length; unit += 1)
          units[unit] = (units[unit] ?? 0) & ~where;
    },
    /** Units of a product from a number on whose places fit. */
    select: (
      productId: string,
      fits: (where: number) => boolean,
      { from = 1, to = Infinity, most = Infinity } = {},
    ): number[] => {
      const units = places.get(productId) ?? new Uint8Array();
      const found: number[] = [];
      // Those that were seen nowhere are all alike.
      const end = fits(0) ? (lasts.get(productId) ?? 0) + 1 : units.length;
      for (let unit = from; unit < Math.min(end, to) && found.length < most; unit += 1)
        if (fits(units[unit] ?? 0)) found.push(unit);
      return found;
    },
    /** How many units of a product were seen in places that fit. */
    count: (productId: string, fits: (where: number) => boolean): number =>
      (places.get(productId) ?? new Uint8Array())
        .subarray(1)
        .reduce((sum, where) => sum + (fits(where) ? 1 : 0), 0),
  };
}

export type UnitTally = ReturnType<typeof createUnitTally>;

const mostOutside = 1_000;
