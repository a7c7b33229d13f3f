import { unitName, unitsOf, type NumberedUnit } from './compare.ts';
import type { Clock } from '@quicksale/shared/process';
import type { Drift } from './drift.ts';
import type { BookedRecord, LedgerBooks, SaleCounters } from './ledger-books.ts';
import type { OrderBooks } from './order-books.ts';
import { seen, type UnitTally } from './unit-tally.ts';

/** A walk stops between pieces, so that others get their turn, or for so many milliseconds. */
export type Walk<T> = AsyncGenerator<number | undefined, T>;

/** A drift of more units than this is as bad as one of so many. */
export const mostDrifts = 1_000;
const looksAgain = 3;
const pauseMs = 100;

/** What a walk through the books of a sale has at hand. */
export interface Books {
  ledger: LedgerBooks;
  orders: OrderBooks;
  clock: Clock;
  saleId: string;
  before: SaleCounters;
  tally: UnitTally;
  drifts: Drift[];
  /** Units that were seen in two places; at different times, perhaps. */
  twice: (NumberedUnit & { orderId: string })[];
}

/** Each record once, in pieces; it may come twice while the hash grows. */
export async function* pieces({ ledger, saleId }: Books): AsyncGenerator<BookedRecord[], void> {
  const known = new Set<string>();
  let cursor = '0';
  do {
    const piece = await ledger.scanRecords(saleId, cursor);
    cursor = piece.next;
    const fresh = piece.records.filter(({ orderId }) => !known.has(orderId));
    for (const { orderId } of fresh) known.add(orderId);
    yield fresh;
  } while (cursor !== '0');
}

/** What was seen free and then held, or in two records, may have moved in between. */
export async function* judgeTwice(books: Books): Walk<void> {
  const { ledger, saleId, before, tally, drifts } = books;
  for (const productId of before.products.keys()) {
    const both = seen.free | seen.sold;
    const soldAndFree = tally.select(productId, (where) => (where & both) === both, {
      most: mostDrifts,
    });
    // Sold is for ever: what is free now is so although it is sold.
    for (const unit of await ledger.findFree(saleId, productId, soldAndFree))
      drifts.push({ kind: 'unit-twice', saleId, productId, unit });
  }
  const suspects = books.twice.slice(0, mostDrifts);
  if (suspects.length === 0) return;
  const holders = yield* findHolders(books, suspects);
  for (const { productId, unit, orderId } of suspects) {
    const free = await ledger.findFree(saleId, productId, [unit]);
    const named = [...new Set([orderId, ...(holders.get(`${productId}:${unit}`) ?? [])])];
    const now = await ledger.readRecords(saleId, named);
    if (typeof now === 'string') return;
    const holding = now.records.filter((record) => record?.units[productId]?.includes(unit));
    if (holding.length + free.length > 1 && holding.length > 0)
      drifts.push({ kind: 'unit-twice', saleId, productId, unit, orderId });
  }
}

/** The orders in whose records these units are found. */
async function* findHolders(
  books: Books,
  units: readonly NumberedUnit[],
): Walk<Map<string, string[]>> {
  const wanted = new Map(
    units.map(({ productId, unit }) => [`${productId}:${unit}`, [] as string[]]),
  );
  for await (const records of pieces(books)) {
    for (const { units: held, orderId } of records)
      for (const { productId, unit } of unitsOf(held))
        wanted.get(`${productId}:${unit}`)?.push(orderId);
    yield undefined;
  }
  return wanted;
}

/** Units that were issued and were seen nowhere: looked for again, in every place, several times. */
export async function* judgeLost(books: Books): Walk<void> {
  const { ledger, orders, saleId, before, tally, drifts } = books;
  let lost = [...before.products].flatMap(([productId, { next }]) =>
    tally
      .select(productId, (where) => where === 0, { to: next, most: mostDrifts })
      .map((unit) => ({ productId, unit })),
  );
  const dropFree = async () => {
    for (const [productId, units] of Map.groupBy(lost, (unit) => unit.productId)) {
      const numbers = units.map(({ unit }) => unit);
      const free = new Set(await ledger.findFree(saleId, productId, numbers));
      lost = lost.filter((one) => one.productId !== productId || !free.has(one.unit));
    }
  };
  for (let look = 0; look < looksAgain && lost.length > 0; look += 1) {
    if (look > 0) yield pauseMs;
    await dropFree();
    const holders = yield* findHolders(books, lost);
    lost = lost.filter(({ productId, unit }) => !holders.get(`${productId}:${unit}`)?.length);
    await dropFree();
    const owners = await orders.findOwners(lost.map((unit) => unitName(saleId, unit)));
    const owned = new Set(owners.flatMap(({ units = [] }) => units));
    lost = lost.filter((unit) => !owned.has(unitName(saleId, unit)));
  }
  drifts.push(...lost.map((unit): Drift => ({ kind: 'unit-lost', saleId, ...unit })));
}

export const soldCount = (tally: UnitTally, productId: string) =>
  tally.count(productId, (where) => (where & (seen.sold | seen.held)) === seen.sold);

/** Sold units that are in no record have gone, when the ledger is read after the orders. */
export async function* judgeGone(books: Books, after: SaleCounters): Walk<void> {
  const { ledger, saleId, before, tally, drifts } = books;
  const isLow = (counters: SaleCounters) =>
    [...before.products.keys()].filter(
      (id) => (counters.products.get(id)?.gone ?? 0) < soldCount(tally, id),
    );
  if (isLow(after).length === 0) return;
  tally.forget(seen.held);
  for await (const records of pieces(books)) {
    for (const { units } of records) for (const unit of unitsOf(units)) tally.note(seen.held, unit);
    yield undefined;
  }
  const now = await ledger.readCounters(saleId);
  if (typeof now === 'string') return;
  for (const productId of isLow(now))
    drifts.push({
      kind: 'gone-too-low',
      saleId,
      productId,
      expected: soldCount(tally, productId),
      found: now.products.get(productId)?.gone ?? 0,
    });
}

/** The units with a deadline can only be counted while nothing moves, so several times in a row. */
export async function* judgeHeld(
  books: Books,
  after: SaleCounters,
  counted: ReadonlyMap<string, number>,
): Walk<void> {
  const { ledger, saleId } = books;
  let wrong = wrongHeld(books, books.before, after, counted);
  for (let look = 1; look < looksAgain && wrong.length > 0; look += 1) {
    yield pauseMs;
    const units = new Map<string, number>();
    const start = await ledger.readCounters(saleId);
    for await (const records of pieces(books)) {
      for (const record of records) addDeadlines(units, record);
      yield undefined;
    }
    const end = await ledger.readCounters(saleId);
    if (typeof start === 'string' || typeof end === 'string') return;
    const again = wrongHeld(books, start, end, units);
    wrong = wrong.filter((one) =>
      again.some((two) => two.productId === one.productId && two.found === one.found),
    );
  }
  books.drifts.push(...wrong);
}

function wrongHeld(
  { saleId }: Books,
  start: SaleCounters,
  end: SaleCounters,
  units: ReadonlyMap<string, number>,
): Drift[] {
  const asText = ({ records, products }: SaleCounters) => JSON.stringify([records, ...products]);
  if (asText(start) !== asText(end)) return [];
  return [...end.products].flatMap(([productId, { held }]): Drift[] => {
    const expected = units.get(productId) ?? 0;
    if (held === expected) return [];
    return [{ kind: 'held-wrong', saleId, productId, expected, found: held }];
  });
}

/** Counts the units of a record that has a deadline. */
export function addDeadlines(units: Map<string, number>, record: BookedRecord): void {
  if (record.expiresAt === 0) return;
  for (const { productId } of unitsOf(record.units))
    units.set(productId, (units.get(productId) ?? 0) + 1);
}
