import { unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { OrderStore } from '@quicksale/shared/orders';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { GroupRecorder } from '../intake/group-recorder.ts';

export interface RecordSaleDeps {
  ledger: Pick<StockLedger, 'markedOrders' | 'peekHolds'>;
  orders: Pick<OrderStore, 'isReachable'>;
  /** The one that intake uses: it bounds how much is written at a time. */
  recorder: Pick<GroupRecorder, 'record'>;
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
 * order, and is nobody's promise: it goes with the old ledger. Throws AppError
 * `dependency-unavailable` when the outcome of any is unknown.
 */
export async function recordSale(deps: RecordSaleDeps, saleId: string): Promise<RecordedSale> {
  if (!deps.orders.isReachable()) throw unavailable('Orders cannot be recorded now');
  const { unrecorded } = await deps.ledger.markedOrders(saleId);
  const records = await deps.ledger.peekHolds(saleId, unrecorded);
  const holds = records.flatMap((record) =>
    record && record.kind !== 'bare' ? [{ saleId, record }] : [],
  );
  const results = await Promise.allSettled(holds.map((hold) => deps.recorder.record(hold)));
  const unknown = results.find((result) => result.status === 'rejected');
  if (unknown) throw unknown.reason;
  const outcomes = results.flatMap((result) =>
    result.status === 'fulfilled' ? [result.value.kind] : [],
  );
  const recorded = outcomes.filter((kind) => kind === 'recorded').length;
  if (holds.length > 0)
    deps.log.warn(
      { saleId, holds: holds.length, recorded },
      'recorded what a fenced sale had left unrecorded',
    );
  return { holds: holds.length, recorded };
}
