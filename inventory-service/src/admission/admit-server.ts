import type { Logger } from '@quicksale/shared/log';
import type { Clock } from '@quicksale/shared/process';
import type { SaleStore } from '../sales/sale-store.ts';
import type { LedgerServer } from './ledger-server.ts';
import type { RecentOrders } from './recent-orders.ts';

export interface AdmitDeps {
  server: LedgerServer;
  sales: Pick<SaleStore, 'listLedgerReady'>;
  recentOrders: RecentOrders;
  clock: Clock;
  log: Logger;
}

/**
 * How far back the check looks: ten minutes of orders, and five more because an order's id is made
 * by the clock of another machine.
 */
const lookBackMs = 15 * 60_000;

/**
 * Compares the shards of a server that was not checked in this run with MongoDB, closes what has
 * lost data, and lets the scripts work on them. Nothing changes these shards before that, so they
 * stand still meanwhile. Resolves to whether there was anything to do.
 */
export async function admitServer(deps: AdmitDeps): Promise<boolean> {
  const { server, log } = deps;
  const startedMs = deps.clock.now();
  const unchecked = await server.findUnchecked();
  if (unchecked.length === 0) return false;
  const shards = new Set(unchecked.map(({ shard }) => shard));
  const isConcerned = (saleId: string) => shards.has(server.shardOf(saleId));

  // An unknown sale needs no fence: every script refuses it.
  const readySales = (await deps.sales.listLedgerReady()).filter(({ saleId }) =>
    isConcerned(saleId),
  );
  const { unknown: lostSales, outdated } = await server.findForgotten(readySales);
  const lost = new Set(lostSales);
  for (const saleId of lostSales)
    log.error({ saleId }, 'the ledger does not know a sale that it knew; it needs a rebuild');
  // It would sell at an old price, or in a pause, or refuse a product that came since.
  for (const saleId of outdated)
    log.error(
      { saleId },
      'the ledger lost settings of a sale; the sale is fenced and needs a rebuild',
    );

  const { orders, lostOrders, restoredKeys } = await checkOrders(
    deps,
    (saleId) => isConcerned(saleId) && !lost.has(saleId),
  );
  const fenced = new Set([...outdated, ...lostOrders.keys()]);
  await server.fence([...fenced]);
  for (const [saleId, missing] of lostOrders)
    log.error(
      { saleId, missing },
      'the ledger lost orders of a sale; the sale is fenced and needs a rebuild',
    );

  // A server that was replaced meanwhile has another run id, and this names the old one.
  await server.admit(unchecked);
  log.info(
    {
      runIds: [...new Set(unchecked.map(({ runId }) => runId))],
      shards: shards.size,
      orders,
      restoredKeys,
      lostSales: lost.size,
      fencedSales: fenced.size,
      elapsedMs: deps.clock.now() - startedMs,
    },
    'admitted the ledger server',
  );
  return true;
}

/** Number of orders by sale that the ledger lost; keys that are missing are written back on the way. */
async function checkOrders(deps: AdmitDeps, isConcerned: (saleId: string) => boolean) {
  const { server, recentOrders, clock } = deps;
  const lostOrders = new Map<string, number>();
  let orders = 0;
  let restoredKeys = 0;
  for await (const piece of recentOrders.since(new Date(clock.now() - lookBackMs))) {
    const known = piece.filter(({ saleId }) => isConcerned(saleId));
    orders += known.length;
    const missing = await server.findMissing(known);
    await server.restoreKeys(missing.keys, new Date(clock.now()));
    restoredKeys += missing.keys.length;
    // Read anew: an order may have given its units up between the two reads.
    const still = await recentOrders.stillOwning(missing.records);
    const sold = still.filter(({ inventoryStatus }) => inventoryStatus === 'SOLD');
    const held = still.filter(({ inventoryStatus }) => inventoryStatus !== 'SOLD');
    for (const { saleId } of [...held, ...(await server.findForSale(sold))])
      lostOrders.set(saleId, (lostOrders.get(saleId) ?? 0) + 1);
  }
  return { orders, lostOrders, restoredKeys };
}
