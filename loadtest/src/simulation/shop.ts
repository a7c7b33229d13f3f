import type { TimedSale } from '@quicksale/inventory-service/src/sales/timed-sale.ts';
import { applyResults } from '@quicksale/kafka-processor/src/order-status/apply-results.ts';
import { createMemorySequenceCounters } from '@quicksale/notifier-service/src/notifications/memory-notification-store.ts';
import { storeNotifications } from '@quicksale/notifier-service/src/notifications/store-notifications.ts';
import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import { inventoryResult, orderStatus } from '@quicksale/shared/contracts';
import { toAppError, unavailable } from '@quicksale/shared/errors';
import { startInventoryProcess, type InventoryProcess } from './inventory-process.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import type { Life } from './scheduler.ts';
import { createSimulatedBus } from './simulated-bus.ts';
import type { SimulatedLedger } from './simulated-ledger.ts';
import {
  createSimulatedMongo,
  mongoLine,
  notificationsOver,
  ordersOver,
} from './simulated-mongo.ts';
import type { Surroundings } from './surroundings.ts';
import { noteUnexpected, type World } from './world.ts';

/** The whole shop: stores, and processes that come and go. */
export interface Shop extends Surroundings {
  /** What the auditor has mended, by kind. */
  repairs: Map<string, number>;
  /** Of all clocks. */
  mostSkewMs: number;
  start(): void;
  /** Kills a process, as by kill -9; it is started again after a while. */
  kill(name: string): void;
  names(): readonly string[];
  /** A request from outside, or from another process, to one of the order-services. */
  askOrders<R>(asker: Life, ask: (process: OrderProcess) => Promise<R>): Promise<R>;
  askInventory<R>(asker: Life, ask: (process: InventoryProcess) => Promise<R>): Promise<R>;
}

const longestDownMs = 1_500;
const patienceMs = 3_000;

export function openShop(options: {
  world: World;
  ledger: SimulatedLedger;
  sales: readonly TimedSale[];
  catalogue: Map<string, CatalogueProduct>;
  orderServices: number;
  skewsMs: ReadonlyMap<string, number>;
}): Shop {
  const { world, sales } = options;
  const { random } = world;
  const mongo = createSimulatedMongo();
  const counters = createMemorySequenceCounters();
  const orderProcesses = new Map<string, OrderProcess>();
  const inventoryProcesses = new Map<string, InventoryProcess>();
  const lives = new Map<string, Life>();

  const startProcessor = (life: Life) => {
    const orders = ordersOver(world, mongoLine(world, life), mongo);
    const bus = shop.bus.connect(life);
    shop.bus.consume(life, {
      contract: inventoryResult,
      group: 'quicksale.kafka-processor',
      handle: (batch) => applyResults({ orders, bus }, batch),
    });
  };
  const startNotifier = (life: Life) => {
    const redis = <T>(name: string, effect: () => Promise<T>) =>
      world.call({ life, store: 'redis', name: `counters.${name}`, effect });
    shop.bus.consume(life, {
      contract: orderStatus,
      group: 'quicksale.notifier-service',
      handle: (batch) =>
        storeNotifications(
          {
            store: notificationsOver(mongoLine(world, life), mongo),
            counters: {
              take: (counts) => redis('take', () => counters.take(counts)),
              raise: (values) => redis('raise', () => counters.raise(values)),
              judge: (memory) => redis('judge', () => counters.judge(memory)),
            },
          },
          batch.map(({ data }) => data),
        ),
    });
  };

  const starters = new Map<string, (life: Life) => void>([
    ...Array.from({ length: options.orderServices }, (_, index) => {
      const name = `orders-${index + 1}`;
      return [
        name,
        (life: Life) => void orderProcesses.set(name, startOrderProcess(shop, life)),
      ] as const;
    }),
    [
      'inventory',
      (life) => void inventoryProcesses.set('inventory', startInventoryProcess(shop, life)),
    ],
    ['processor', startProcessor],
    ['notifier', startNotifier],
  ]);

  function startOne(name: string): void {
    const life: Life = { name, isAlive: true };
    lives.set(name, life);
    starters.get(name)?.(life);
  }

  /** One who asks hears an answer, an error, or nothing for so long that it gives up. */
  function request<P extends { life: Life }, R>(
    asker: Life,
    processes: Map<string, P>,
    ask: (process: P) => Promise<R>,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      const { lost, unheard } = world.weather;
      const giveUp = () => reject(unavailable('no answer'));
      world.after(
        patienceMs + random.integer(1_000),
        `${asker.name} gives up waiting`,
        giveUp,
        asker,
      );
      if (random.isLikely(lost)) return;
      world.post(`a request of ${asker.name} arrives`, () => {
        const process = random.pick([...processes.values()]);
        if (!process.life.isAlive) return;
        const isHeard = !random.isLikely(unheard);
        const answer = (settle: () => void) => {
          if (isHeard) world.post(`${asker.name} is answered`, settle, asker);
        };
        ask(process).then(
          (result) => answer(() => resolve(result)),
          (error: unknown) => {
            noteUnexpected(world, process.life.name, error);
            answer(() => reject(toAppError(error)));
          },
        );
      });
    });
  }

  const shop: Shop = {
    ...{ world, mongo, sales },
    bus: createSimulatedBus(world),
    ledger: options.ledger,
    catalogue: options.catalogue,
    hasPayments: sales.some(({ holdMs }) => holdMs > 0),
    repairs: new Map(),
    mostSkewMs: Math.max(...[...options.skewsMs.values()].map(Math.abs)),
    noteRepair: (repair) => void shop.repairs.set(repair, (shop.repairs.get(repair) ?? 0) + 1),
    lastUnit: (saleId, productId) =>
      [...mongo.movements.values()]
        .filter((one) => one.saleId === saleId && one.productId === productId)
        .reduce((top, { lastUnit }) => Math.max(top, lastUnit), 0),
    skewMs: ({ name }) => options.skewsMs.get(name) ?? 0,
    start: () => {
      for (const name of starters.keys()) startOne(name);
    },
    names: () => [...starters.keys()],
    kill: (name) => {
      const life = lives.get(name);
      if (!life?.isAlive) return;
      life.isAlive = false;
      world.trace(`${name} is killed`);
      world.after(random.integer(longestDownMs), `${name} starts again`, () => startOne(name));
    },
    recordSale: (asker, saleId) => shop.askOrders(asker, (one) => one.recordSale(saleId)),
    askOrders: (asker, ask) => request(asker, orderProcesses, ask),
    askInventory: (asker, ask) => request(asker, inventoryProcesses, ask),
    tellNews: (event) => {
      const provider: Life = { name: 'provider', isAlive: true };
      void shop.askOrders(provider, (one) => one.receiveEvent(event)).catch(() => undefined);
    },
  };
  return shop;
}
