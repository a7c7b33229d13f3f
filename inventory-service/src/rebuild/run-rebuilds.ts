import { setTimeout as sleep } from 'node:timers/promises';
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

/** So soon a sale is found that comes to be in doubt while others take their time. */
const lookAgainMs = 500;
const firstWaitMs = 500;
const longestWaitMs = 10_000;

/**
 * Finds the sales that the ledger has fenced or does not know any more, and opens them again. One
 * that cannot be rebuilt is tried more and more rarely; the others do not wait for it.
 */
export function createRebuildRunner(deps: RunRebuildsDeps): () => Promise<void> {
  const waits = new Map<string, { untilMs: number; ms: number }>();

  /** Sales to be tried now. */
  async function look(): Promise<string[]> {
    const inDoubt = await findInDoubt(
      deps,
      (await deps.sales.listLedgerReady()).map(({ saleId }) => saleId),
    );
    deps.metrics.noteInDoubt(inDoubt.length);
    for (const saleId of waits.keys()) if (!inDoubt.includes(saleId)) waits.delete(saleId);
    return inDoubt.filter((saleId) => deps.clock.now() >= (waits.get(saleId)?.untilMs ?? 0));
  }

  async function attempt(saleId: string): Promise<void> {
    const earlier = waits.get(saleId);
    try {
      await rebuildNow(deps, saleId, { onlyInDoubt: true });
      waits.delete(saleId);
    } catch (error) {
      const ms = Math.min((earlier?.ms ?? firstWaitMs / 2) * 2, longestWaitMs);
      waits.set(saleId, { untilMs: deps.clock.now() + ms, ms });
      const passes = error instanceof RebuildStopped || toAppError(error).kind === 'unavailable';
      deps.log[passes ? 'warn' : 'error']({ err: error, saleId }, 'a sale stays fenced for now');
    }
  }

  return async () => {
    const running = new Map<string, Promise<void>>();
    try {
      let queue = await look();
      while (queue.length > 0 || running.size > 0) {
        for (const saleId of queue.splice(0, atATime - running.size))
          running.set(
            saleId,
            attempt(saleId).finally(() => running.delete(saleId)),
          );
        if (queue.length > 0) await Promise.race(running.values());
        else {
          const all = Promise.all(running.values());
          await Promise.race([all, sleep(lookAgainMs, undefined, { ref: false })]);
          if (running.size > 0) queue = (await look()).filter((saleId) => !running.has(saleId));
        }
      }
    } finally {
      await Promise.all(running.values());
    }
  };
}

async function findInDoubt({ ledger }: RunRebuildsDeps, saleIds: readonly string[]) {
  const states = await ledger.saleStates(saleIds);
  return saleIds.filter(
    (_, index) => states[index] === 'fenced' || states[index] === 'unknown_sale',
  );
}

/**
 * Rebuilds a sale, in whatever state it is or only when it needs it; undefined when it does not, and
 * while somebody else does it.
 */
export async function rebuildNow(
  deps: RunRebuildsDeps,
  saleId: string,
  { onlyInDoubt = false } = {},
): Promise<(RebuiltSale & { elapsedMs: number }) | undefined> {
  const { clock, log, metrics } = deps;
  const lease = await deps.leases.take(saleId);
  if (!lease) return undefined;
  const startedMs = clock.now();
  try {
    // Somebody else may have opened it since it was found: nobody is to be sent away once more.
    if (onlyInDoubt && !(await findInDoubt(deps, [saleId])).includes(saleId)) return undefined;
    log.info({ saleId, epoch: lease.epoch }, 'rebuilding the ledger of a sale');
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
