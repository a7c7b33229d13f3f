import { admitServer } from '@quicksale/inventory-service/src/admission/admit-server.ts';
import {
  ownsUnits,
  type RecentOrder,
} from '@quicksale/inventory-service/src/admission/recent-orders.ts';
import { createAuditor } from '@quicksale/inventory-service/src/audit/auditor.ts';
import { repairs } from '@quicksale/inventory-service/src/audit/drift.ts';
import { answerCreated } from '@quicksale/inventory-service/src/holds/answer-created.ts';
import type { RebuildDeps } from '@quicksale/inventory-service/src/rebuild/rebuild-sale.ts';
import { rebuildNow } from '@quicksale/inventory-service/src/rebuild/run-rebuilds.ts';
import type { AdvanceDeps } from '@quicksale/inventory-service/src/sales/advance-sale.ts';
import { changeSale } from '@quicksale/inventory-service/src/sales/change-sale.ts';
import { runSales } from '@quicksale/inventory-service/src/sales/run-sales.ts';
import type { SaleChange } from '@quicksale/inventory-service/src/sales/sale-changes.ts';
import {
  followAllMovements,
  followRecentMovements,
} from '@quicksale/inventory-service/src/stock/follow-movements.ts';
import { followMovement } from '@quicksale/inventory-service/src/stock/follow-movement.ts';
import { orderCreated } from '@quicksale/shared/contracts';
import type { Order } from '@quicksale/shared/orders';
import type { Life } from './scheduler.ts';
import type { Surroundings } from './surroundings.ts';
import { ledgerBooksOver, ledgerServerOver } from './ledger-admin.ts';
import {
  leasesOver,
  mongoLine,
  movementsOver,
  ordersOver,
  pageOfSale,
  pagesOfSale,
  salesOver,
} from './simulated-mongo.ts';

export type InventoryProcess = ReturnType<typeof startInventoryProcess>;

/** inventory-service in one of its lives: admission, rebuild, auditor, movements, and its answers. */
export function startInventoryProcess(shop: Surroundings, life: Life) {
  const { world, mongo } = shop;
  const { log, every } = world;
  const clock = { now: () => world.now() + shop.skewMs(life) };
  const line = mongoLine(world, life);
  const orders = ordersOver(world, line, mongo);
  const connected = shop.ledger.connect(life);
  const { ledger } = connected;
  const bus = shop.bus.connect(life);
  const movements = movementsOver(line, mongo);
  const timedSales = salesOver(line, mongo);
  const sales = { find: async () => undefined, listLedgerReady: timedSales.listLedgerReady };

  const recent = (orders: readonly Order[]) =>
    orders.map(({ units, ...order }): RecentOrder => ({
      ...order,
      ...(units && { units: [...units] }),
    }));
  every(life, 'checks the ledger server', 1_000, () =>
    admitServer({
      ...{ sales, clock, log },
      server: ledgerServerOver(connected, shop.ledger.keys),
      recentOrders: {
        async *since() {
          for (const { id } of shop.sales)
            for await (const page of pagesOfSale(line, mongo, id)) yield recent(page);
        },
        stillOwning: (given) =>
          line.read('orders.stillOwning', async () => {
            const found = await mongo.orders.findByIds(given.map(({ id }) => id));
            return recent(found).filter(ownsUnits);
          }),
      },
    }),
  );

  const rebuilds: Parameters<typeof rebuildNow>[0] = {
    ...{ ledger, clock, log, sales, timedSales, movements },
    products: { listLines: async () => [] },
    leases: leasesOver(line, mongo, { clock, holder: `${life.name} ${world.steps()}` }),
    unrecordedHolds: { record: (saleId) => shop.recordSale(life, saleId) },
    saleOrders: saleOrdersOf(),
    metrics: {
      noteRebuilt: () => undefined,
      noteStopped: () => undefined,
      noteInDoubt: () => undefined,
    },
  };
  function saleOrdersOf(): RebuildDeps['saleOrders'] {
    return {
      async *ofSale(saleId) {
        for await (const page of pagesOfSale(line, mongo, saleId))
          yield page.map((order) => ({ ...order, confirmsHold: false }));
      },
    };
  }
  every(life, 'looks for sales in doubt', 800, async () => {
    const ids = shop.sales.map(({ id }) => id);
    const states = await ledger.saleStates(ids);
    for (const [at, id] of ids.entries())
      if (states[at] === 'fenced' || states[at] === 'unknown_sale')
        await rebuildNow(rebuilds, id, { onlyInDoubt: true });
  });

  const following = { sales, movements, ledger, timedSales, clock, log };
  every(life, 'follows movements', 2_500, () => followRecentMovements(following));
  every(life, 'follows all movements', 6_000, () => followAllMovements(following));

  // A sale has all its units from its beginning, and is over after the end of all histories.
  const unmoved = () => Promise.reject(new Error('nothing moves between sales here'));
  const advancing = {
    ...{ timedSales, movements, ledger, clock },
    sales: { raiseSettingsVersion: unmoved, markPut: unmoved },
    products: {
      findByIds: async () => [],
      ...{ listLines: unmoved, raiseVersion: unmoved, claim: unmoved },
      ...{ dropClaim: unmoved, moveToSale: unmoved },
    },
    houseOrders: { make: unmoved },
  } satisfies AdvanceDeps;
  every(life, 'goes on with sales', 1_000, () => runSales({ ...advancing, log }));

  every(
    life,
    'audits',
    1_500,
    createAuditor({
      ...{ clock, sales, log, restMs: 0, stopwatch: world.now },
      ledger: ledgerBooksOver(connected, shop.ledger.keys, world),
      orders: {
        listOrders: (saleId, after) =>
          line.read('books page', () => pageOfSale(mongo.orders.look(), saleId, after ?? '')),
        findOrders: (ids) => line.read('books.findOrders', () => mongo.orders.findByIds(ids)),
        findOwners: (units) =>
          line.read('books.findOwners', () =>
            mongo.orders.findRelated({ ids: [], digests: [], units }),
          ),
        lastUnits: async (saleId) =>
          new Map(
            (await movements.listCommitments(saleId)).map(({ productId, lastUnit }) => [
              productId,
              lastUnit,
            ]),
          ),
      },
      repair: { ledger, repairs: new Set(repairs) },
      metrics: {
        show: () => undefined,
        noteOversold: () => undefined,
        noteRepair: (repair) => shop.noteRepair(repair),
        noteAudit: () => undefined,
        showUnrecorded: () => undefined,
      },
    }),
  );

  shop.bus.consume(life, {
    contract: orderCreated,
    group: 'quicksale.inventory-service',
    handle: (batch) => answerCreated({ ledger, orders, bus, log }, batch),
  });

  return {
    life,
    /** A pause, or its end. */
    change: (saleId: string, decide: SaleChange) =>
      changeSale(
        advancing,
        async () => {
          const sale = await timedSales.find(saleId);
          if (!sale) throw new Error(`there is no sale ${saleId}`);
          return sale;
        },
        decide,
      ),
    /** New stock: the movement is the commitment, the ledger follows. */
    restock: async (saleId: string, productId: string, units: number, operationId: string) => {
      const movement = await movements.append({
        ...{ id: operationId, saleId, productId, units, reason: 'restock', by: 'merchant' },
        at: new Date(clock.now()),
      });
      await followMovement(following, movement);
    },
  };
}
