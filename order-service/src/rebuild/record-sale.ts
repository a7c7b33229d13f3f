import { unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { Order, OrderStore } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { GroupRecorder } from '../intake/group-recorder.ts';
import type { Hold, RecordingOutcome } from '../intake/record-holds.ts';
import type { ReadSaleUnits } from './sale-units.ts';
import { settleLostHolds } from './settle-lost-holds.ts';

export interface RecordSaleDeps {
  ledger: Pick<StockLedger, 'markedOrders' | 'peekHolds'>;
  orders: Pick<OrderStore, 'isReachable' | 'findByIds' | 'findRelated' | 'insertMany'>;
  /** The one that intake uses: it bounds how much is written at a time. */
  recorder: Pick<GroupRecorder, 'record'>;
  readSaleUnits: ReadSaleUnits;
  clock: Clock;
  log: Logger;
}

export interface RecordedSale {
  /** Holds that were unrecorded. */
  holds: number;
  /** Those of them whose orders are in MongoDB now. */
  recorded: number;
}

/**
 * Brings the orders of whatever unrecorded holds a fenced sale has left into MongoDB, before its
 * ledger is written anew from there. What cannot be recorded lost its key or its units to another
 * order. In a safe sale that is nobody's promise, and goes with the old ledger; in a fast one its
 * buyer was told yes: the order gets other units, or fails and says so. Throws AppError
 * `dependency-unavailable` when the outcome of any is unknown.
 */
export async function recordSale(deps: RecordSaleDeps, saleId: string): Promise<RecordedSale> {
  if (!deps.orders.isReachable()) throw unavailable('Orders cannot be recorded now');
  const { unrecorded } = await deps.ledger.markedOrders(saleId);
  const records = await deps.ledger.peekHolds(saleId, unrecorded);
  const holds = records.flatMap((record) =>
    record && record.kind !== 'bare' ? [{ saleId, record }] : [],
  );
  if (holds.length === 0) return { holds: 0, recorded: 0 };
  // A fenced sale strikes nothing off: who asks again, out of patience, must not begin at the start.
  const written = await findWritten(deps, holds);
  const open = holds.filter(({ record }) => !written.has(record.orderId));
  const results = await Promise.allSettled(open.map((hold) => deps.recorder.record(hold)));
  const outcomes = results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  const recorded =
    written.size +
    outcomes.filter(({ kind }) => kind === 'recorded').length +
    (await keepPromises(deps, saleId, await findLost(deps, open, outcomes)));
  deps.log.warn(
    { saleId, holds: holds.length, recorded },
    'recorded what a fenced sale had left unrecorded',
  );
  return { holds: holds.length, recorded };
}

/** Orders of one read or insert: well within the deadline of either. */
const ordersPerCall = 500;

const slices = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(all.length / ordersPerCall) }, (_, index) =>
    all.slice(index * ordersPerCall, (index + 1) * ordersPerCall),
  );

/** Ids of the holds whose orders are in MongoDB. */
async function findWritten(
  { orders }: Pick<RecordSaleDeps, 'orders'>,
  holds: readonly Hold[],
): Promise<Set<string>> {
  const written = new Set<string>();
  for (const some of slices(holds))
    for (const { id } of await orders.findByIds(some.map(({ record }) => record.orderId)))
      written.add(id);
  return written;
}

/** Holds whose buyers were told yes, and that are in no document: their units are somebody else's. */
async function findLost(
  deps: RecordSaleDeps,
  holds: readonly Hold[],
  outcomes: readonly RecordingOutcome[],
): Promise<Hold[]> {
  const missing = holds.filter(
    ({ record }, index) =>
      record.fast && ['in-doubt', 'not-recorded'].includes(outcomes[index]?.kind ?? ''),
  );
  const written = await findWritten(deps, missing);
  return missing.filter(({ record }) => !written.has(record.orderId));
}

/** Resolves to how many orders were written. */
async function keepPromises(
  { orders, readSaleUnits, clock, log }: RecordSaleDeps,
  saleId: string,
  lost: readonly Hold[],
): Promise<number> {
  if (lost.length === 0) return 0;
  const productIds = [...new Set(lost.flatMap(({ record }) => Object.keys(record.units)))];
  const { owners, lastUnits } = await readSaleUnits(saleId, productIds);
  const free = new Map(
    [...lastUnits].map(([productId, last]) => {
      const isOwned = (number: number) => owners.has(`${saleId}:${productId}:${number}`);
      return [productId, lowestFree(last, isOwned, countUnits(lost, productId))];
    }),
  );
  const settled = settleLostHolds(lost, { owners, free, at: new Date(clock.now()) });
  const wanted = settled.flatMap((one) => (one.kind === 'dropped' ? [] : [one.order]));
  const refused = await insert(orders, wanted);
  if ((await insert(orders, await withoutOldKeys(orders, refused))).length > 0)
    throw unavailable('Some orders of a lost ledger are not written yet');
  log.error(
    {
      saleId,
      newUnits: settled.filter((one) => one.kind === 'kept').length,
      failed: settled.flatMap((one) => (one.kind === 'failed' ? [one.order.id] : [])),
    },
    'orders of a fast sale had lost their units with the ledger',
  );
  return wanted.length;
}

const countUnits = (holds: readonly Hold[], productId: string) =>
  holds.reduce((sum, { record }) => sum + (record.units[productId]?.length ?? 0), 0);

/** As many numbers as can be wanted at most; a product may have very many that nobody wants. */
function lowestFree(last: number, isOwned: (number: number) => boolean, most: number): number[] {
  const found: number[] = [];
  for (let number = 1; number <= last && found.length < most; number += 1)
    if (!isOwned(number)) found.push(number);
  return found;
}

/** Those that did not get in. */
async function insert(
  orders: RecordSaleDeps['orders'],
  wanted: readonly Order[],
): Promise<Order[]> {
  const refused: Order[] = [];
  for (const some of slices(wanted)) {
    const outcomes = await orders.insertMany(some);
    refused.push(...some.filter((_, index) => outcomes[index]?.kind !== 'inserted'));
  }
  return refused;
}

/**
 * A key may name an older order: in a fast sale it is good for a day only. One that lost nothing but
 * a race keeps its key, or its buyer's next request with it would make a second order.
 */
async function withoutOldKeys(
  { findRelated }: RecordSaleDeps['orders'],
  refused: readonly Order[],
): Promise<Order[]> {
  const digests = new Set<string>();
  for (const some of slices(refused)) {
    const wanted = some.flatMap(({ idempotencyDigest }) => idempotencyDigest ?? []);
    for (const { idempotencyDigest } of await findRelated({ ids: [], digests: wanted, units: [] }))
      if (idempotencyDigest) digests.add(idempotencyDigest);
  }
  return refused.map((order) => {
    const { idempotencyDigest, ...rest } = order;
    return idempotencyDigest && digests.has(idempotencyDigest) ? rest : order;
  });
}
