import type { Clock } from '@quicksale/shared/process';
import {
  compareCounters,
  compareGone,
  compareLast,
  compareOrder,
  compareRecord,
  isLive,
  numberedUnit,
  stillHeld,
  stillOwned,
  unitName,
  unitsOf,
  type NumberedUnit,
} from './compare.ts';
import type { Drift } from './drift.ts';
import type { BookedRecord, LedgerBooks, SaleCounters, Unjudged } from './ledger-books.ts';
import type { BookedOrder, OrderBooks } from './order-books.ts';
import {
  addDeadlines,
  judgeGone,
  judgeHeld,
  judgeLost,
  judgeTwice,
  mostDrifts,
  pieces,
  soldCount,
  type Books,
  type Walk,
} from './second-looks.ts';
import { createUnitTally, seen } from './unit-tally.ts';

export interface AuditSaleDeps {
  ledger: LedgerBooks;
  orders: OrderBooks;
  clock: Clock;
}

/** What a walk through the books of a sale has come to. */
export type SaleAudit =
  | { judged: false; reason: Unjudged | 'rebuilt' }
  | {
      judged: true;
      /** The one seen with the evidence. */
      epoch: number;
      counters: SaleCounters;
      drifts: Drift[];
      /** Unpaid holds more than 2 s past their deadline. */
      overdueHolds: number;
      /** Buyers with more units than the sale's limit is now; it may have been lowered. */
      buyersOverLimit: number;
    };

const overdueMs = 2_000;

/**
 * Compares ledger, movements and orders of one sale, unit by unit, while it goes on selling. What
 * one store lacks is read again from the other afterwards, so nothing that is merely on its way is
 * taken for a drift:
 * - a record without its mark was recorded, so its document is found by a later read;
 * - a document gives units up, or calls them sold, before they leave its record, and its own marks
 *   go only after they have left;
 * - a unit never comes back into a record, a document never gets one back, numbers only rise.
 * A unit that is nowhere has no such order of reads: it has to be missing several times in a row.
 *
 * A fenced sale is not judged, nor one that was rebuilt meanwhile. One walk reads every order of the
 * sale: a standing sale with a long history takes long, in small pieces.
 */
export async function* auditSale(deps: AuditSaleDeps, saleId: string): Walk<SaleAudit> {
  const before = await deps.ledger.readCounters(saleId);
  if (typeof before === 'string') return { judged: false, reason: before };
  const lasts = new Map([...before.products].map(([id, { last }]) => [id, last]));
  const tally = createUnitTally(lasts);
  const books: Books = { ...deps, saleId, before, tally, drifts: [], twice: [] };

  yield* noteFree(books);
  const { deadlineUnits, overdueHolds } = yield* walkRecords(books);
  const buyers = yield* walkOrders(books);
  const committed = await deps.orders.lastUnits(saleId);
  const after = await deps.ledger.readCounters(saleId);
  if (typeof after === 'string') return { judged: false, reason: after };
  for (const [productId, line] of before.products) {
    const place = { saleId, productId };
    const last = committed.get(productId) ?? 0;
    books.drifts.push(
      ...compareCounters(saleId, productId, line),
      ...compareLast(place, {
        before: line.last,
        committed: last,
        after: after.products.get(productId)?.last ?? 0,
      }),
      ...compareGone(place, { goneBefore: line.gone, sold: soldCount(tally, productId) }),
      ...tally
        .select(productId, (where) => (where & (seen.live | seen.sold)) !== 0, { from: last + 1 })
        .map((unit): Drift => ({ kind: 'unit-oversold', ...place, unit })),
    );
  }
  judgeNotIssued(books, after);
  yield* judgeTwice(books);
  yield* judgeLost(books);
  yield* judgeGone(books, after);
  yield* judgeHeld(books, after, deadlineUnits);

  const end = await deps.ledger.readCounters(saleId);
  if (typeof end === 'string') return { judged: false, reason: end };
  if (end.epoch !== before.epoch) return { judged: false, reason: 'rebuilt' };
  const { perBuyerLimit: limit } = end;
  return {
    judged: true,
    epoch: before.epoch,
    counters: end,
    drifts: books.drifts.slice(0, mostDrifts),
    overdueHolds,
    buyersOverLimit: limit > 0 ? [...buyers.values()].filter((units) => units > limit).length : 0,
  };
}

async function* noteFree({ ledger, saleId, before, tally }: Books): Walk<void> {
  for (const productId of before.products.keys()) {
    let units: number[] = [];
    do {
      units = await ledger.listFree(saleId, productId, units.at(-1) ?? 0);
      for (const unit of units) tally.note(seen.free, { productId, unit });
      if (units.length > 0) yield undefined;
    } while (units.length > 0);
  }
}

async function* walkRecords(books: Books): Walk<{
  deadlineUnits: Map<string, number>;
  overdueHolds: number;
}> {
  const { before, tally } = books;
  const deadlineUnits = new Map<string, number>();
  let overdueHolds = 0;
  for await (const records of pieces(books)) {
    for (const record of records) {
      addDeadlines(deadlineUnits, record);
      if (record.expiresAt > 0 && record.expiresAt + overdueMs < before.nowMs) overdueHolds += 1;
      for (const unit of unitsOf(record.units))
        if (tally.note(seen.held, unit) !== 0)
          books.twice.push({ ...unit, orderId: record.orderId });
    }
    await judgeRecords(books, records);
    yield undefined;
  }
  return { deadlineUnits, overdueHolds };
}

async function judgeRecords(
  { ledger, orders, saleId, clock, drifts }: Books,
  records: readonly BookedRecord[],
): Promise<void> {
  const recorded = records.filter(({ kind, isUnrecorded }) => kind !== 'bare' && !isUnrecorded);
  const found = byId(await orders.findOrders(recorded.map(({ orderId }) => orderId)));
  const suspects = recorded.flatMap((record) => {
    const drift = compareRecord(saleId, record, found.get(record.orderId), clock.now());
    return drift.length > 0 ? [{ orderId: record.orderId, drift }] : [];
  });
  if (suspects.length === 0) return;
  const now = await ledger.readRecords(
    saleId,
    suspects.map(({ orderId }) => orderId),
  );
  if (typeof now === 'string') return;
  suspects.forEach(({ drift }, index) => drifts.push(...stillHeld(drift, now.records[index])));
}

/** Resolves to the units of each buyer. */
async function* walkOrders(books: Books): Walk<Map<string, number>> {
  const { orders, saleId, tally } = books;
  const buyers = new Map<string, number>();
  const owners = new Map<string, NumberedUnit>();
  let page: BookedOrder[] = [];
  do {
    page = await orders.listOrders(saleId, page.at(-1)?.id);
    const missing: BookedOrder[] = [];
    for (const order of page) {
      const units = (order.units ?? []).map(numberedUnit);
      if (order.kind === 'order')
        buyers.set(order.userId, (buyers.get(order.userId) ?? 0) + units.length);
      const where = order.inventoryStatus === 'SOLD' ? seen.sold : seen.live;
      const before = units.map((unit) => ({ unit, was: tally.note(where, unit) }));
      for (const { unit, was } of before)
        if ((was & (seen.live | seen.sold)) !== 0) owners.set(unitName(saleId, unit), unit);
      if (isLive(order) && before.some(({ was }) => (was & seen.held) === 0)) missing.push(order);
    }
    if (missing.length > 0) await judgeMissing(books, missing);
    if (page.length > 0) yield undefined;
  } while (page.length > 0);
  await judgeOwners(books, owners);
  return buyers;
}

/** Orders whose units were in no record: read again in the ledger, and then once more here. */
async function judgeMissing(
  { ledger, orders, saleId, drifts }: Books,
  missing: readonly BookedOrder[],
): Promise<void> {
  const ids = missing.map(({ id }) => id);
  const held = await ledger.readRecords(saleId, ids);
  if (typeof held === 'string') return;
  const suspects = missing.flatMap((order, index) => {
    const drift = compareOrder(saleId, order, held.records[index]);
    return drift.length > 0 ? [{ id: order.id, drift }] : [];
  });
  if (suspects.length === 0) return;
  const now = byId(await orders.findOrders(suspects.map(({ id }) => id)));
  for (const { id, drift } of suspects) drifts.push(...stillOwned(drift, now.get(id)));
}

/** A unit that was met in two orders may have gone from one to the other. */
async function judgeOwners(
  { orders, saleId, drifts }: Books,
  owners: ReadonlyMap<string, NumberedUnit>,
): Promise<void> {
  const names = [...owners.keys()].slice(0, mostDrifts);
  const found = await orders.findOwners(names);
  for (const name of names) {
    const [, second] = found.filter(({ units }) => units?.includes(name));
    const unit = owners.get(name);
    if (second && unit) drifts.push({ kind: 'unit-oversold', saleId, ...unit, orderId: second.id });
  }
}

/** Numbers rise before a unit is given out, so `after` has them all. */
function judgeNotIssued({ saleId, tally, before, drifts }: Books, after: SaleCounters): void {
  const nextOf = (productId: string) => after.products.get(productId)?.next ?? 1;
  const early = [...before.products.keys()].flatMap((productId) =>
    tally
      .select(productId, (where) => where !== 0, { from: nextOf(productId), most: mostDrifts })
      .map((unit) => ({ productId, unit })),
  );
  for (const { productId, unit } of [...early, ...tally.outside])
    if (unit >= nextOf(productId))
      drifts.push({ kind: 'unit-not-issued', saleId, productId, unit });
}

const byId = (orders: readonly BookedOrder[]) => new Map(orders.map((order) => [order.id, order]));
