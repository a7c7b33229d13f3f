import { unitNames, type HoldRecord } from '@quicksale/shared/stock-ledger';
import type { Drift } from './drift.ts';
import type { BookedProduct, BookedRecord } from './ledger-books.ts';
import type { BookedOrder } from './order-books.ts';

/** What a release or a shipment may take before it counts as late. */
export const settlingMs = 5_000;

/** A unit of an order by its product and number. */
export interface NumberedUnit {
  productId: string;
  unit: number;
}

/** Units by product, one by one. */
export const unitsOf = (units: HoldRecord['units']): NumberedUnit[] =>
  Object.entries(units).flatMap(([productId, numbers]) =>
    numbers.map((unit) => ({ productId, unit })),
  );

export const unitName = (saleId: string, { productId, unit }: NumberedUnit): string =>
  `${saleId}:${productId}:${unit}`;

/** A name, taken apart. */
export function numberedUnit(name: string): NumberedUnit {
  const [, productId = '', unit] = name.split(':');
  return { productId, unit: Number(unit) };
}

/** Whether the document says that its units are held for it. */
export const isLive = ({ inventoryStatus }: Pick<BookedOrder, 'inventoryStatus'>): boolean =>
  inventoryStatus === 'PENDING' || inventoryStatus === 'RESERVED';

/**
 * What is wrong with a record, by the document that was read after it. Bare holds have no document,
 * unrecorded ones need none yet; what is being released or shipped is left alone while it is fresh.
 * The record has to be read once more: units may have left it meanwhile (`stillHeld`).
 */
export function compareRecord(
  saleId: string,
  record: BookedRecord,
  order: BookedOrder | undefined,
  nowMs: number,
): Drift[] {
  if (record.kind === 'bare' || record.isUnrecorded) return [];
  const owned = new Set(order?.units);
  return unitsOf(record.units).flatMap((unit): Drift[] => {
    const place = { saleId, ...unit, orderId: record.orderId };
    if (!order) return [{ kind: 'record-without-order', ...place }];
    const name = unitName(saleId, unit);
    if (!owned.has(name)) return marked(order, 'releasing', name, nowMs, 'unit-not-owned', place);
    if (isLive(order)) return [];
    return order.inventoryStatus === 'SOLD'
      ? marked(order, 'shipping', name, nowMs, 'sold-unit-held', place)
      : [{ kind: 'owned-after-end', ...place }];
  });
}

/** A step whose mark is on the document is under way for a while, and late after that. */
function marked(
  order: BookedOrder,
  list: 'releasing' | 'shipping',
  name: string,
  nowMs: number,
  kind: Drift['kind'],
  place: Omit<Drift, 'kind'>,
): Drift[] {
  if (!order[list]?.includes(name)) return [{ kind, ...place }];
  const isFresh = nowMs - order.updatedAt.getTime() < settlingMs;
  return isFresh ? [] : [{ kind, ...place, isMarked: true }];
}

/** Those of the drifts of a record that stand when it is read again, after the document. */
export function stillHeld(drifts: readonly Drift[], now: BookedRecord | undefined): Drift[] {
  if (!now || now.isUnrecorded) return [];
  return drifts.filter(({ productId = '', unit = 0 }) => now.units[productId]?.includes(unit));
}

/**
 * Units that the document owns and the record, read after it, lacks. The document has to be read
 * once more: it gives its units up before they leave the record.
 */
export function compareOrder(
  saleId: string,
  order: BookedOrder,
  record: Pick<BookedRecord, 'units'> | undefined,
): Drift[] {
  if (!isLive(order)) return [];
  const held = new Set(record && unitNames(saleId, record.units));
  return (order.units ?? [])
    .filter((name) => !held.has(name))
    .map((name) => ({ kind: 'unit-not-held', saleId, ...numberedUnit(name), orderId: order.id }));
}

/** Those of the drifts of an order that stand by its document as it is now. */
export function stillOwned(drifts: readonly Drift[], now: BookedOrder | undefined): Drift[] {
  if (!now || !isLive(now)) return [];
  const owned = new Set(now.units);
  return drifts.filter(({ saleId, productId = '', unit = 0 }) =>
    owned.has(unitName(saleId, { productId, unit })),
  );
}

/** What the ledger says of a product at one instant, by itself. */
export function compareCounters(saleId: string, productId: string, line: BookedProduct): Drift[] {
  const expected = line.free + line.last - line.next + 1;
  return line.available === expected
    ? []
    : [{ kind: 'available-wrong', saleId, productId, expected, found: line.available }];
}

/**
 * The last unit in the ledger against the movements. `before` was read before them, `after` after
 * them: a movement is written first, and the ledger follows.
 */
export function compareLast(
  place: { saleId: string; productId: string },
  { before, committed, after }: { before: number; committed: number; after: number },
): Drift[] {
  if (before > committed)
    return [{ kind: 'last-too-high', ...place, expected: committed, found: before }];
  if (after < committed)
    return [{ kind: 'last-too-low', ...place, expected: committed, found: after }];
  return [];
}

/**
 * More units counted as gone, before the orders were read, than these have sold: a document says
 * SOLD before its units leave.
 */
export const compareGone = (
  place: { saleId: string; productId: string },
  { goneBefore, sold }: { goneBefore: number; sold: number },
): Drift[] =>
  goneBefore > sold ? [{ kind: 'gone-too-high', ...place, expected: sold, found: goneBefore }] : [];
