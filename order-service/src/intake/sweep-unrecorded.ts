import { toAppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { OrderStore } from '@quicksale/shared/orders';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { GroupRecorder } from './group-recorder.ts';

export interface SweepDeps {
  ledger: StockLedger;
  orders: OrderStore;
  /** The one that intake uses: it bounds how much is written at a time. */
  recorder: Pick<GroupRecorder, 'record'>;
  log: Logger;
}

/** Older than any insert that is still under way can be: its deadline and a second. */
const ageMs = 3_000;
const leaseMs = 5_000;
const entriesPerShard = 128;
/** A round goes on with shards that have more: a process may die with thousands of early answers. */
const claimsPerRound = 20;
/** After so many refusals of one document by MongoDB, a person has to look at it. */
const triesBeforeParking = 5;

/**
 * Builds the orders of holds whose process died (or lost MongoDB) between the ledger and the
 * insert. One round looks at every shard, and again at those that have more; several processes may do
 * it, claims are leased.
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
    const results = await Promise.allSettled(holds.map((hold) => deps.recorder.record(hold)));
    let built = 0;
    results.forEach((result, index) => {
      const orderId = holds[index]?.record.orderId ?? '';
      // An unknown outcome stays marked and comes again.
      if (result.status === 'rejected') return;
      if (result.value.kind === 'refused') return noteRefused(orderId, result.value.cause);
      refusals.delete(orderId);
      if (result.value.kind === 'recorded') built += 1;
    });
    if (built > 0) deps.log.warn({ saleId, built }, 'built orders from unrecorded holds');
  }

  /** What one shard has to offer; one that cannot be asked does not keep the others waiting. */
  async function claim(shard: number): Promise<{ saleId: string; orderId: string }[]> {
    try {
      const claimed = await deps.ledger.claimUnrecorded(shard, {
        ageMs,
        leaseMs,
        limit: entriesPerShard,
      });
      return claimed === 'not_admitted' ? [] : claimed;
    } catch (error) {
      logTrouble(error, { shard });
      return [];
    }
  }

  function logTrouble(error: unknown, where: { shard: number } | { saleId: string }): void {
    const level = toAppError(error).kind === 'unavailable' ? 'debug' : 'error';
    deps.log[level]({ err: error, ...where }, 'unrecorded holds could not be looked at');
  }

  return async () => {
    if (!deps.orders.isReachable()) return;
    let shards = Array.from({ length: deps.ledger.shards }, (_, shard) => shard);
    for (let n = 0; n < claimsPerRound && shards.length > 0; n += 1) {
      const claims = await Promise.all(shards.map(claim));
      const entries = claims
        .flat()
        .filter(({ orderId }) => (refusals.get(orderId) ?? 0) < triesBeforeParking);
      for (const [saleId, ofSale] of Map.groupBy(entries, (entry) => entry.saleId))
        await sweepSale(
          saleId,
          ofSale.map(({ orderId }) => orderId),
        ).catch((error: unknown) => logTrouble(error, { saleId }));
      shards = shards.filter((_, index) => claims[index]?.length === entriesPerShard);
    }
  };
}
