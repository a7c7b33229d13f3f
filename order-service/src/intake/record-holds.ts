import type { Logger } from '@quicksale/shared/log';
import { orderFromHold, type Order, type OrderStore } from '@quicksale/shared/orders';
import { faultPointSoon } from '@quicksale/shared/process';
import type { HoldRecord, StockLedger } from '@quicksale/shared/stock-ledger';

/** A hold whose order has to be in MongoDB. */
export interface Hold {
  saleId: string;
  record: HoldRecord;
}

export type RecordingOutcome =
  /** The hold's own order is in MongoDB; `isNew` when this call put it there. */
  | { kind: 'recorded'; order: Order; isNew: boolean }
  /** The ledger had forgotten the key: it names this order. The hold was given back. */
  | { kind: 'key-names-other'; order: Order }
  /** A unit belongs to another order: the ledger is in doubt. */
  | { kind: 'in-doubt' }
  /** Not written this time; the hold stays unrecorded. */
  | { kind: 'not-recorded' }
  /** MongoDB refuses the document itself. */
  | { kind: 'refused'; cause: unknown };

export interface RecordingDeps {
  orders: OrderStore;
  ledger: StockLedger;
  log: Logger;
}

/** Inserts of a document that conflicts with nothing that can be found, after the first one. */
const moreTries = 2;

/**
 * Brings the orders of holds into MongoDB; the one way in which they get there, for intake, replays
 * and the sweep. Doing it twice is harmless. Throws AppError `dependency-unavailable` when the
 * outcome of the whole batch is unknown: then nothing may be struck off. Each hold has its own
 * outcome; none pays for another's failure.
 */
export async function recordHolds(
  deps: RecordingDeps,
  holds: readonly Hold[],
): Promise<RecordingOutcome[]> {
  const outcomes = new Map<string, RecordingOutcome>();
  // Sorted by the contested key: two batches then never wait for each other in a ring.
  let open = holds
    .flatMap((hold) => readHold(hold, outcomes))
    .sort((a, b) => compare(a.order.idempotencyDigest, b.order.idempotencyDigest));
  for (let attempt = 0; attempt <= moreTries && open.length > 0; attempt += 1) {
    const inserting = deps.orders.insertMany(open.map(({ order }) => order));
    await faultPointSoon('after-insert-sent', 2);
    const inserted = await inserting;
    const conflicting = open.filter((entry, index) => {
      const result = inserted[index];
      if (result?.kind === 'inserted')
        outcomes.set(entry.order.id, { kind: 'recorded', order: entry.order, isNew: true });
      else if (result?.kind === 'refused')
        outcomes.set(entry.order.id, { kind: 'refused', cause: result.cause });
      return result?.kind === 'conflict';
    });
    open = conflicting.length > 0 ? await explain(deps, conflicting, outcomes) : [];
  }
  return holds.map(({ record }) => outcomes.get(record.orderId) ?? { kind: 'not-recorded' });
}

interface OpenHold {
  hold: Hold;
  order: Order;
}

/** A record that cannot be read is its own order's trouble, not that of the batch. */
function readHold(hold: Hold, outcomes: Map<string, RecordingOutcome>): OpenHold[] {
  try {
    return [{ hold, order: orderFromHold(hold.record, hold.saleId) }];
  } catch (cause) {
    outcomes.set(hold.record.orderId, { kind: 'refused', cause });
    return [];
  }
}

/** Finds out, with one read, what stands in the way; what may get in the next time is returned. */
async function explain(
  deps: RecordingDeps,
  conflicting: readonly OpenHold[],
  outcomes: Map<string, RecordingOutcome>,
): Promise<OpenHold[]> {
  const related = await deps.orders.findRelated({
    ids: conflicting.map(({ order }) => order.id),
    digests: conflicting.flatMap(({ order }) => order.idempotencyDigest ?? []),
    units: conflicting.flatMap(({ order }) => order.units ?? []),
  });
  const byId = new Map(related.map((order) => [order.id, order]));
  const byDigest = new Map(related.map((order) => [order.idempotencyDigest, order]));
  const byUnit = new Map(
    related.flatMap((order) => (order.units ?? []).map((unit) => [unit, order] as const)),
  );
  const unexplained: OpenHold[] = [];
  for (const entry of conflicting) {
    const { hold, order } = entry;
    const own = byId.get(order.id);
    const namedByKey = order.idempotencyDigest && byDigest.get(order.idempotencyDigest);
    const unitOwner = order.units?.map((unit) => byUnit.get(unit)).find(Boolean);
    if (own) outcomes.set(order.id, await alreadyThere(deps, hold, own));
    else if (namedByKey && hold.record.fast) unexplained.push({ hold, order: unnamed(order) });
    else if (namedByKey) outcomes.set(order.id, await keyForgotten(deps, hold, namedByKey));
    else if (unitOwner) outcomes.set(order.id, await unitTaken(deps, hold, unitOwner));
    else unexplained.push(entry);
  }
  return unexplained;
}

/** Somebody has been told yes already: the order stands, though its key names an older one. */
function unnamed({ idempotencyDigest: _older, ...order }: Order): Order {
  return order;
}

/** The document owns no units any more, so the record is a ghost of a ledger that went back. */
async function alreadyThere(
  deps: RecordingDeps,
  hold: Hold,
  own: Order,
): Promise<RecordingOutcome> {
  if (!own.units?.length && !(await giveBack(deps, hold))) return { kind: 'not-recorded' };
  return { kind: 'recorded', order: own, isNew: false };
}

async function keyForgotten(
  deps: RecordingDeps,
  hold: Hold,
  namedByKey: Order,
): Promise<RecordingOutcome> {
  if (!(await giveBack(deps, hold))) return { kind: 'not-recorded' };
  return { kind: 'key-names-other', order: namedByKey };
}

async function unitTaken(
  deps: RecordingDeps,
  { saleId, record }: Hold,
  owner: Order,
): Promise<RecordingOutcome> {
  const held = await deps.ledger.readHolds(saleId, [record.orderId]);
  // Without its record the hold itself was lost, and the unit is rightly the other order's.
  if (typeof held === 'object' && held.records[0]) {
    await deps.ledger.fence(saleId, held.epoch);
    deps.log.error(
      { saleId, orderId: record.orderId, otherOrderId: owner.id },
      'the ledger issued a unit twice: the sale is fenced',
    );
  }
  return { kind: 'in-doubt' };
}

async function giveBack({ ledger }: RecordingDeps, { saleId, record }: Hold): Promise<boolean> {
  const [status] = await ledger.release(saleId, [record]);
  return status === 'released' || status === 'already';
}

const compare = (a = '', b = '') => (a < b ? -1 : a > b ? 1 : 0);
