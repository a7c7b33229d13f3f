import { toAppError } from '@quicksale/shared/errors';
import { faultPoint } from '@quicksale/shared/process';
import type { LedgerEntry, StockLedger } from '@quicksale/shared/stock-ledger';
import { expireHolds, type ExpireHoldsDeps } from './expire-holds.ts';

export interface SweepDueDeps extends ExpireHoldsDeps {
  ledger: ExpireHoldsDeps['ledger'] & Pick<StockLedger, 'claimDue' | 'shards'>;
}

/** A sweeper that dies keeps its holds from the others for so long. */
const leaseMs = 5_000;
const entriesPerBatch = 128;
/** More batches at a time make the database no faster. */
const batchesInFlight = 4;
/** So many batches may have their last steps put off, while others wait for their first. */
const mostPutOff = 100;

/**
 * Ends the holds whose deadline has passed. One round goes over all shards, and on with those that
 * have more, until nothing is due; several processes may do it, claims are leased.
 */
export function createExpirySweep(deps: SweepDueDeps): () => Promise<void> {
  const allShards = Array.from({ length: deps.ledger.shards }, (_, shard) => shard);

  /** What one shard has to offer; one that cannot be asked does not keep the others waiting. */
  async function claim(shard: number): Promise<LedgerEntry[]> {
    try {
      const claimed = await deps.ledger.claimDue(shard, { leaseMs, limit: entriesPerBatch });
      return claimed === 'not_admitted' ? [] : claimed;
    } catch (error) {
      logTrouble(error, { shard });
      return [];
    }
  }

  function logTrouble(error: unknown, where: { shard: number } | { holds: number }): void {
    const level = toAppError(error).kind === 'unavailable' ? 'debug' : 'error';
    deps.log[level]({ err: error, ...where }, 'holds past their deadline are left for later');
  }

  /** Goes on with shards that have more until nothing is due; last steps are put off. */
  async function endAllDue(putOff: (() => Promise<void>)[]): Promise<void> {
    const running = new Set<Promise<void>>();
    let isTroubled = false;

    async function runBatch(batch: readonly LedgerEntry[]): Promise<void> {
      try {
        const rest = await expireHolds(deps, batch);
        if (putOff.length < mostPutOff) putOff.push(rest);
        else await rest();
      } catch (error) {
        isTroubled = true;
        logTrouble(error, { holds: batch.length });
      }
    }

    let shards = allShards;
    // With a store away, leases would end and be claimed again for as long as it takes.
    while (shards.length > 0 && !isTroubled) {
      const claims = await Promise.all(shards.map(claim));
      const entries = claims.flat();
      if (entries.length > 0) faultPoint('after-expiry-claimed');
      for (let from = 0; from < entries.length; from += entriesPerBatch) {
        while (running.size >= batchesInFlight) await Promise.race(running);
        const batch = entries.slice(from, from + entriesPerBatch);
        const run: Promise<void> = runBatch(batch).finally(() => running.delete(run));
        running.add(run);
      }
      shards = shards.filter((_, index) => claims[index]?.length === entriesPerBatch);
    }
    await Promise.all(running);
  }

  return async () => {
    const putOff: (() => Promise<void>)[] = [];
    do {
      await endAllDue(putOff);
      // A few at a time, and then a look at what has become due meanwhile.
      const rests = putOff.splice(0, batchesInFlight).map((rest) => rest());
      for (const result of await Promise.allSettled(rests))
        if (result.status === 'rejected') logTrouble(result.reason, { holds: entriesPerBatch });
    } while (putOff.length > 0);
  };
}
