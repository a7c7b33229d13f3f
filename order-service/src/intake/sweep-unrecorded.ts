import type { Logger } from '@quicksale/shared/log';
import type { OrderStore } from '@quicksale/shared/orders';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { Hold, RecordingOutcome } from './record-holds.ts';

export interface SweepDeps {
  ledger: StockLedger;
  orders: OrderStore;
  /** Records holds and announces the orders that it put into MongoDB. */
  record: (holds: readonly Hold[]) => Promise<RecordingOutcome[]>;
  log: Logger;
}

/** Older than any insert that is still under way can be: its deadline and a second. */
const ageMs = 3_000;
const leaseMs = 5_000;
const entriesPerShard = 128;
/** After so many refusals of one document by MongoDB, a person has to look at it. */
const triesBeforeParking = 5;

/**
 * Builds the orders of holds whose process died (or lost MongoDB) between the ledger and the
 * insert. One round looks at every shard; several processes may do it, claims are leased.
 */
export function createUnrecordedSweep(deps: SweepDeps): () => Promise<void> {
  const refusals = new Map<string, number>();

  function noteRefused(orderId: string, cause: unknown): void {
    const tries = (refusals.get(orderId) ?? 0) + 1;
    refusals.set(orderId, tries);
    if (tries === triesBeforeParking)
      deps.log.error({ orderId, err: cause }, 'a hold cannot be recorded and is parked');
  }

  async function sweepSale(saleId: string, orderIds: readonly string[]): Promise<void> {
    const existing = new Map((await deps.orders.findByIds(orderIds)).map((o) => [o.id, o]));
    // An order that owns its units needs nothing but its mark struck off.
    const done = orderIds.filter((id) => existing.get(id)?.units?.length);
    if (done.length > 0) await deps.ledger.strikeOff(saleId, done);
    const missing = orderIds.filter((id) => !existing.get(id)?.units?.length);
    if (missing.length === 0) return;
    const held = await deps.ledger.readHolds(saleId, missing);
    if (typeof held === 'string') return;
    const holds = held.records.flatMap((record) => (record ? [{ saleId, record }] : []));
    const outcomes = await deps.record(holds);
    outcomes.forEach((outcome, index) => {
      const orderId = holds[index]?.record.orderId ?? '';
      if (outcome.kind === 'refused') noteRefused(orderId, outcome.cause);
      else refusals.delete(orderId);
    });
    const built = outcomes.filter((outcome) => outcome.kind === 'recorded').length;
    if (built > 0) deps.log.warn({ saleId, built }, 'built orders from unrecorded holds');
  }

  return async () => {
    if (!deps.orders.isReachable()) return;
    const claims = await Promise.all(
      Array.from({ length: deps.ledger.shards }, (_, shard) =>
        deps.ledger.claimUnrecorded(shard, { ageMs, leaseMs, limit: entriesPerShard }),
      ),
    );
    const bySale = new Map<string, string[]>();
    for (const claim of claims) {
      if (claim === 'not_admitted') continue;
      for (const { saleId, orderId } of claim) {
        if ((refusals.get(orderId) ?? 0) >= triesBeforeParking) continue;
        bySale.set(saleId, [...(bySale.get(saleId) ?? []), orderId]);
      }
    }
    for (const [saleId, orderIds] of bySale) await sweepSale(saleId, orderIds);
  };
}
