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
  orders: Pick<OrderStore, 'isReachable' | 'findByIds' | 'insertMany'>;
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
  const results = await Promise.allSettled(holds.map((hold) => deps.recorder.record(hold)));
  const outcomes = results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  const recorded =
    outcomes.filter(({ kind }) => kind === 'recorded').length +
    (await keepPromises(deps, saleId, await findLost(deps, holds, outcomes)));
  deps.log.warn(
    { saleId, holds: holds.length, recorded },
    'recorded what a fenced sale had left unrecorded',
  );
  return { holds: holds.length, recorded };
}

/** Holds whose buyers were told yes, and that are in no document: their units are somebody else's. */
async function findLost(
  { orders }: RecordSaleDeps,
  holds: readonly Hold[],
  outcomes: readonly RecordingOutcome[],
): Promise<Hold[]> {
  const missing = holds.filter(
    ({ record }, index) =>
      record.fast && ['in-doubt', 'not-recorded'].includes(outcomes[index]?.kind ?? ''),
  );
  if (missing.length === 0) return [];
  const found = await orders.findByIds(missing.map(({ record }) => record.orderId));
  const written = new Set(found.map(({ id }) => id));
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
    [...lastUnits].map(([productId, last]) => [
      productId,
      Array.from({ length: last }, (_, index) => index + 1).filter(
        (number) => !owners.has(`${saleId}:${productId}:${number}`),
      ),
    ]),
  );
  const settled = settleLostHolds(lost, { owners, free, at: new Date(clock.now()) });
  const wanted = settled.flatMap((one) => (one.kind === 'dropped' ? [] : [one.order]));
  const refused = await insert(orders, wanted);
  // Its key may name an older order; in a fast sale it is good for a day only.
  if ((await insert(orders, refused.map(withoutKey))).length > 0)
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

/** Those that did not get in. */
async function insert(
  orders: RecordSaleDeps['orders'],
  wanted: readonly Order[],
): Promise<Order[]> {
  if (wanted.length === 0) return [];
  const outcomes = await orders.insertMany(wanted);
  return wanted.filter((_, index) => outcomes[index]?.kind !== 'inserted');
}

const withoutKey = ({ idempotencyDigest: _, ...order }: Order): Order => order;
