import type { SaleStore } from '@quicksale/inventory-service/src/sales/sale-store.ts';
import type { TimedSale } from '@quicksale/inventory-service/src/sales/timed-sale.ts';
import type { TimedSaleStore } from '@quicksale/inventory-service/src/sales/timed-sale-store.ts';
import type {
  Arrival,
  Commitment,
  Movement,
  MovementStore,
} from '@quicksale/inventory-service/src/stock/movement.ts';
import {
  RebuildStopped,
  type RebuildLeases,
} from '@quicksale/inventory-service/src/rebuild/rebuild-lease.ts';
import { createMemoryNotificationStore } from '@quicksale/notifier-service/src/notifications/memory-notification-store.ts';
import type { NotificationStore } from '@quicksale/notifier-service/src/notifications/notification-store.ts';
import type { Payment } from '@quicksale/order-service/src/payments/payment.ts';
import type {
  PaymentStore,
  VersionedDocuments,
} from '@quicksale/order-service/src/payments/payment-store.ts';
import { createVersionedDocuments } from '@quicksale/order-service/src/payments/versioned-documents.ts';
import type { SimulatedPayment } from '@quicksale/order-service/src/payments/simulator/simulated-payment.ts';
import { createMemoryOrderStore, type Order, type OrderStore } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { Life } from './scheduler.ts';
import type { Store, World } from './world.ts';

/** What MongoDB has: it forgets nothing that it has acknowledged. */
export interface SimulatedMongo {
  orders: ReturnType<typeof createMemoryOrderStore>;
  sales: Map<string, TimedSale>;
  movements: Map<string, Movement>;
  payments: Map<string, Payment>;
  paymentEvents: Map<string, { applied: boolean }>;
  /** The payment provider's own. */
  intents: Map<string, SimulatedPayment>;
  notifications: ReturnType<typeof createMemoryNotificationStore>;
  leases: Map<string, { epoch: number; holder: string; untilMs: number }>;
  numbers: { next: number };
}

export const createSimulatedMongo = (): SimulatedMongo => ({
  orders: createMemoryOrderStore(),
  sales: new Map(),
  movements: new Map(),
  payments: new Map(),
  paymentEvents: new Map(),
  intents: new Map(),
  notifications: createMemoryNotificationStore(),
  leases: new Map(),
  numbers: { next: 1 },
});

/** How one process talks to it. */
export interface MongoLine {
  read<T>(name: string, effect: () => T | Promise<T>, store?: Store): Promise<T>;
  write<T>(name: string, effect: () => T | Promise<T>, store?: Store): Promise<T>;
}

export const mongoLine = (world: World, life: Life): MongoLine => ({
  read: (name, effect, store = 'mongo') => world.call({ life, store, name, effect, reads: true }),
  write: (name, effect, store = 'mongo') =>
    world.call({ life, store, name, effect, mayBeLate: store === 'mongo' }),
});

/**
 * Orders over a line. A group of writes is no transaction: it may be done in two parts, with
 * anything in between.
 */
export function ordersOver(world: World, line: MongoLine, { orders }: SimulatedMongo): OrderStore {
  async function inParts<T, R>(
    name: string,
    all: readonly T[],
    effect: (part: readonly T[]) => Promise<R>,
  ): Promise<R[]> {
    const cut = all.length > 1 && world.random.isLikely(0.3) ? world.random.integer(all.length) : 0;
    const parts = cut > 0 ? [all.slice(0, cut), all.slice(cut)] : [all];
    const results: R[] = [];
    for (const part of parts) results.push(await line.write(name, () => effect(part)));
    return results;
  }
  const { read, write } = line;
  return {
    isReachable: () => !world.away.has('mongo'),
    insertMany: async (batch) =>
      (await inParts('orders.insertMany', batch, orders.insertMany)).flat(),
    applyChanges: async (changes) => {
      const results = await inParts('orders.applyChanges', changes, orders.applyChanges);
      return { matched: results.reduce((sum, { matched }) => sum + matched, 0) };
    },
    findRelated: (by) => read('orders.findRelated', () => orders.findRelated(by)),
    findByIds: (ids) => read('orders.findByIds', () => orders.findByIds(ids)),
    findOwn: (userId, id) => read('orders.findOwn', () => orders.findOwn(userId, id)),
    listOwn: (userId, filter) => read('orders.listOwn', () => orders.listOwn(userId, filter)),
    listOfMerchant: (filter) => read('orders.listOfMerchant', () => orders.listOfMerchant(filter)),
    pullOutbox: (entries) => write('orders.pullOutbox', () => orders.pullOutbox(entries)),
    finishRelease: (all) => write('orders.finishRelease', () => orders.finishRelease(all)),
    finishShipping: (all) => write('orders.finishShipping', () => orders.finishShipping(all)),
    finishRepaying: (seen) => write('orders.finishRepaying', () => orders.finishRepaying(seen)),
    findOutboxDue: (now, limit) =>
      read('orders.findOutboxDue', () => orders.findOutboxDue(now, limit)),
    countStuck: (before) => read('orders.countStuck', () => orders.countStuck(before)),
    rescheduleOutbox: (next) => write('orders.reschedule', () => orders.rescheduleOutbox(next)),
  };
}

/** Orders of a sale by id, a few at a time: what a cursor or a walk sees while others write. */
export async function* pagesOfSale(
  line: MongoLine,
  { orders }: SimulatedMongo,
  saleId: string,
): AsyncGenerator<Order[], void> {
  let after = '';
  for (;;) {
    const page = await line.read('orders page', () => pageOfSale(orders.look(), saleId, after));
    if (page.length === 0) return;
    after = page.at(-1)?.id ?? '';
    yield page;
  }
}

const pageSize = 3;

export const pageOfSale = (orders: readonly Order[], saleId: string, after: string): Order[] =>
  orders
    .filter((order) => order.saleId === saleId && order.id > after)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, pageSize)
    .map((order) => structuredClone(order));

/** Documents with a version in a map; `isTaken` says whether another unique value of one is. */
export function documentsOver<T extends { id: string; version: number }>(
  line: MongoLine,
  name: string,
  all: Map<string, T>,
  store: Store = 'mongo',
  isTaken: (document: T) => boolean = () => false,
): VersionedDocuments<T> {
  return createVersionedDocuments<T>({
    find: (id) => line.read(`${name}.find`, () => all.get(id), store),
    insert: (document) =>
      line.write(
        `${name}.insert`,
        () => {
          if (all.has(document.id) || isTaken(document)) return false;
          all.set(document.id, document);
          return true;
        },
        store,
      ),
    replace: (next, version) =>
      line.write(
        `${name}.replace`,
        () => {
          if (all.get(next.id)?.version !== version) return false;
          all.set(next.id, { ...next, version: version + 1 });
          return true;
        },
        store,
      ),
  });
}

export const paymentsOver = (line: MongoLine, { payments }: SimulatedMongo): PaymentStore => ({
  ...documentsOver(line, 'payments', payments),
  findByIntent: (intentId) =>
    line.read('payments.findByIntent', () =>
      [...payments.values()].find(({ intents }) => intents.some(({ id }) => id === intentId)),
    ),
  listOwn: async () => ({ payments: [], next: undefined }),
  findDue: (provider, now, limit) =>
    line.read('payments.findDue', () =>
      [...payments.values()]
        .filter((one) => one.provider === provider && one.checkAt && one.checkAt <= now)
        .slice(0, limit),
    ),
});

type UsedSales = Pick<TimedSaleStore, 'find' | 'save' | 'findDue' | 'wake'> &
  Pick<SaleStore, 'listLedgerReady'>;

export const salesOver = (line: MongoLine, { sales }: SimulatedMongo): UsedSales => ({
  find: (id) => line.read('sales.find', () => sales.get(id)),
  save: (sale) =>
    line.write('sales.save', () => {
      if (sales.get(sale.id)?.revision !== sale.revision) return undefined;
      const next = { ...sale, revision: sale.revision + 1 };
      sales.set(sale.id, next);
      return next;
    }),
  findDue: (at, limit) =>
    line.read('sales.findDue', () =>
      [...sales.values()].filter(({ runAt }) => runAt && runAt <= at).slice(0, limit),
    ),
  wake: async () => undefined,
  listLedgerReady: () =>
    line.read('sales.ready', () =>
      [...sales.values()].map(({ id: saleId, putVersion }) => ({ saleId, putVersion })),
    ),
});

type UsedMovements = Omit<MovementStore, 'listOfProduct'>;

export function movementsOver(line: MongoLine, { movements }: SimulatedMongo): UsedMovements {
  const all = () => [...movements.values()];
  const highest = (saleId: string, productId: string) =>
    all()
      .filter((one) => one.saleId === saleId && one.productId === productId)
      .reduce((top, { lastUnit }) => Math.max(top, lastUnit), 0);
  const append = ({ units, ...rest }: Arrival): Movement => {
    const known = movements.get(rest.id);
    if (known) return known;
    const before = highest(rest.saleId, rest.productId);
    const movement = { ...rest, firstUnit: before + 1, lastUnit: before + units };
    movements.set(movement.id, movement);
    return movement;
  };
  const commitments = (wanted: (movement: Movement) => boolean): Commitment[] => {
    const places = new Map(
      all()
        .filter(wanted)
        .map(({ saleId, productId }) => [`${saleId} ${productId}`, { saleId, productId }]),
    );
    return [...places.values()].map((place) => ({
      ...place,
      lastUnit: highest(place.saleId, place.productId),
    }));
  };
  return {
    insert: (movement) =>
      line.write('movements.insert', () => {
        if (!movements.has(movement.id)) movements.set(movement.id, movement);
      }),
    append: (arrival) => line.write('movements.append', () => append(arrival)),
    lastUnit: (saleId, productId) =>
      line.read('movements.lastUnit', () => highest(saleId, productId)),
    findById: (id) => line.read('movements.findById', () => movements.get(id)),
    listCommitments: (saleId) =>
      line.read('movements.ofSale', () => commitments((one) => one.saleId === saleId)),
    listCommitmentsSince: (at) =>
      line.read('movements.since', () => commitments((one) => one.at >= at)),
  };
}

const leaseMs = 6_000;

export function leasesOver(
  line: MongoLine,
  { leases }: SimulatedMongo,
  { clock, holder }: { clock: Clock; holder: string },
): RebuildLeases {
  return {
    take: async (saleId) => {
      const epoch = await line.write('leases.take', () => {
        const known = leases.get(saleId);
        if (known && known.untilMs > clock.now()) return undefined;
        const next = { epoch: (known?.epoch ?? 1) + 1, holder, untilMs: clock.now() + leaseMs };
        leases.set(saleId, next);
        return next.epoch;
      });
      if (epoch === undefined) return undefined;
      const own = () => {
        const lease = leases.get(saleId);
        return lease?.holder === holder && lease.epoch === epoch ? lease : undefined;
      };
      return {
        epoch,
        renew: () =>
          line.write('leases.renew', () => {
            const lease = own();
            if (!lease) throw new RebuildStopped('somebody else has the lease');
            lease.untilMs = clock.now() + leaseMs;
          }),
        end: (highest = epoch) =>
          line.write('leases.end', () => {
            const lease = own();
            if (lease) Object.assign(lease, { untilMs: 0, epoch: Math.max(epoch, highest) });
          }),
      };
    },
  };
}

export const notificationsOver = (
  line: MongoLine,
  { notifications }: SimulatedMongo,
): NotificationStore => ({
  insert: (batch) => line.write('notifications.insert', () => notifications.insert(batch)),
  isEmpty: () => line.read('notifications.isEmpty', () => notifications.isEmpty()),
  findByIds: (ids) => line.read('notifications.find', () => notifications.findByIds(ids)),
  summaries: (ids) => line.read('notifications.summaries', () => notifications.summaries(ids)),
  after: notifications.after,
  afterEach: notifications.afterEach,
});
