import { toAppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { SaleStore } from '../sales/sale-store.ts';
import { RebuildStopped, type RebuildLeases } from './rebuild-lease.ts';
import type { RebuildMetrics } from './rebuild-metrics.ts';
import { rebuildSale, type RebuildDeps, type RebuiltSale } from './rebuild-sale.ts';

export interface RunRebuildsDeps extends RebuildDeps {
  sales: RebuildDeps['sales'] & Pick<SaleStore, 'listLedgerReady'>;
  ledger: RebuildDeps['ledger'] & Pick<StockLedger, 'saleStates'>;
  leases: RebuildLeases;
  metrics: RebuildMetrics;
  log: Logger;
}

/** Sales that one process writes back side by side. */
const atATime = 3;

/** Finds the sales that the ledger has fenced or does not know any more, and opens them again. */
export async function runRebuilds(deps: RunRebuildsDeps): Promise<void> {
  const ready = await deps.sales.listLedgerReady();
  const states = await deps.ledger.saleStates(ready);
  const inDoubt = ready.filter(
    (_, index) => states[index] === 'fenced' || states[index] === 'unknown_sale',
  );
  deps.metrics.noteInDoubt(inDoubt.length);
  const queue = inDoubt.values();
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      for (const saleId of queue) await attempt(deps, saleId);
    }),
  );
}

/** One sale that cannot be rebuilt now must not keep the others waiting. */
async function attempt(deps: RunRebuildsDeps, saleId: string): Promise<void> {
  try {
    await rebuildNow(deps, saleId);
  } catch (error) {
    const waits = error instanceof RebuildStopped || toAppError(error).kind === 'unavailable';
    deps.log[waits ? 'warn' : 'error']({ err: error, saleId }, 'a sale stays fenced for now');
  }
}

/** Rebuilds a sale, in whatever state it is; undefined while somebody else does. */
export async function rebuildNow(
  deps: RunRebuildsDeps,
  saleId: string,
): Promise<(RebuiltSale & { elapsedMs: number }) | undefined> {
  const { clock, log, metrics } = deps;
  const lease = await deps.leases.take(saleId);
  if (!lease) return undefined;
  const startedMs = clock.now();
  log.info({ saleId, epoch: lease.epoch }, 'rebuilding the ledger of a sale');
  try {
    const rebuilt = await rebuildSale(deps, saleId, lease);
    const elapsedMs = clock.now() - startedMs;
    metrics.noteRebuilt(elapsedMs);
    log.info({ saleId, ...rebuilt, elapsedMs }, 'rebuilt the ledger of a sale: it is open');
    return { ...rebuilt, elapsedMs };
  } catch (error) {
    metrics.noteStopped();
    throw error;
  } finally {
    // A lease that cannot be given back ends by itself.
    await lease.end().catch(() => undefined);
  }
}
