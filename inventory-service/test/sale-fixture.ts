import { createLogger } from '@quicksale/shared/log';
import { createMemoryStockLedger, ledgerKeys } from '@quicksale/shared/stock-ledger';
import { formerSalesAt, draftProduct, type Product } from '../src/products/product.ts';
import type { CreateSaleDeps } from '../src/sales/create-sale.ts';
import type { RunSalesDeps } from '../src/sales/run-sales.ts';
import { saleState, type TimedSale } from '../src/sales/timed-sale.ts';
import type { HouseOrders } from '../src/stock/house-orders.ts';
import type { Movement } from '../src/stock/movement.ts';
import { receiveUnits, type ReceiveDeps } from '../src/stock/receive-units.ts';
import type { SetStockDeps } from '../src/stock/set-stock.ts';

export class Crash extends Error {}

/** Everything a sale needs, in memory, in a process that may be told to die at its nth step. */
export function createSaleWorld() {
  let nowMs = Date.UTC(2026, 0, 1);
  let ids = 0;
  const clock = { now: () => nowMs };
  const random = {
    objectId: () => String((ids += 1)).padStart(24, '0'),
    integer: () => 0,
  };
  const keys = ledgerKeys('', 4);
  const memory = createMemoryStockLedger({ keys, now: () => nowMs });
  const products = new Map<string, Product>();
  const timed = new Map<string, TimedSale>();
  const standing = new Map<string, { settingsVersion: number; ledgerReady: boolean }>();
  const movements = new Map<string, Movement>();
  const copy = <T>(value: T): T => structuredClone(value);

  let stepsLeft = Infinity;
  let diesAfter = false;
  let steps = 0;
  /** Each call of a port is a step: the process may die right before it or right after it. */
  function port<T extends object>(methods: T): T {
    return new Proxy(methods, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          steps += 1;
          stepsLeft -= 1;
          if (stepsLeft < 0 || (stepsLeft === 0 && !diesAfter)) throw new Crash();
          const result = await method.apply(target, args);
          if (stepsLeft === 0) throw new Crash();
          return result;
        };
      },
    });
  }

  const update = (id: string, fits: (product: Product) => boolean, change: Partial<Product>) => {
    const product = products.get(id);
    if (!product || !fits(product)) return undefined;
    const next = { ...product, ...change, version: product.version + 1 };
    products.set(id, next);
    return copy(next);
  };

  const lastUnit = (saleId: string, productId: string) =>
    [...movements.values()]
      .filter((one) => one.saleId === saleId && one.productId === productId)
      .reduce((highest, one) => Math.max(highest, one.lastUnit), 0);

  const ports = {
    products: port<CreateSaleDeps['products']>({
      insert: async (product) => {
        products.set(product.id, product);
        return 'inserted';
      },
      findById: async (id) => copy(products.get(id)),
      findByIds: async (wanted) => wanted.flatMap((id) => copy(products.get(id)) ?? []),
      listShown: async () => [],
      listChangedSince: async () => [],
      raiseVersion: async (id) => update(id, ({ archived }) => !archived, {}),
      change: async ({ id, version }) => update(id, (one) => one.version === version, {}),
      listLines: async (merchantId) =>
        [...products.values()]
          .filter((one) => one.merchantId === merchantId)
          .map(({ id, price, claimedBy }) => ({
            productId: id,
            price,
            away: claimedBy !== undefined,
          })),
      claim: async (id, saleId) => {
        update(id, (one) => one.claimedBy === undefined, { claimedBy: saleId });
        return products.get(id)?.claimedBy === saleId ? 'claimed' : 'taken';
      },
      dropClaim: async ({ id, version }) => {
        const product = products.get(id);
        if (product?.version !== version) return;
        const { claimedBy: _, ...rest } = product;
        products.set(id, { ...rest, version: version + 1 });
      },
      moveToSale: async (product, { saleId, salePrice }, at) => {
        const { salePrice: _, ...rest } = product;
        if (products.get(product.id)?.version !== product.version) return false;
        products.set(product.id, {
          ...rest,
          saleId,
          formerSales: formerSalesAt(product, at),
          ...(salePrice !== undefined && { salePrice }),
          version: product.version + 1,
        });
        return true;
      },
      findPending: async () => [],
      markFinished: async () => undefined,
    }),
    sales: port<CreateSaleDeps['sales']>({
      find: async () => undefined,
      createStanding: async () => undefined,
      raiseSettingsVersion: async (id) => {
        const sale = standing.get(id) ?? { settingsVersion: 0, ledgerReady: false };
        standing.set(id, { ...sale, settingsVersion: sale.settingsVersion + 1 });
        return { id, kind: 'standing', ...sale, settingsVersion: sale.settingsVersion + 1 };
      },
      markPut: async (id) => {
        const sale = standing.get(id);
        if (sale) sale.ledgerReady = true;
      },
      listLedgerReady: async () => [],
    }),
    timedSales: port<CreateSaleDeps['timedSales'] & RunSalesDeps['timedSales']>({
      insert: async (sale) => void timed.set(sale.id, copy(sale)),
      find: async (id) => copy(timed.get(id)),
      save: async (sale) => {
        if (timed.get(sale.id)?.revision !== sale.revision) return undefined;
        const next = { ...copy(sale), revision: sale.revision + 1 };
        timed.set(sale.id, next);
        return copy(next);
      },
      list: async () => [],
      findDue: async (at) => copy([...timed.values()].filter(({ runAt }) => runAt && runAt <= at)),
      wake: async (id, at) => {
        const sale = timed.get(id);
        if (sale && (sale.stage === 'finished' || sale.stage === 'refused'))
          timed.set(id, { ...sale, runAt: at, revision: sale.revision + 1 });
      },
    }),
    movements: port<
      CreateSaleDeps['movements'] & ReceiveDeps['movements'] & SetStockDeps['movements']
    >({
      lastUnit: async (saleId, productId) => lastUnit(saleId, productId),
      insert: async (movement) => void movements.set(movement.id, movement),
      findById: async (id) => movements.get(id),
      append: async ({ units, ...arrival }) => {
        const known = movements.get(arrival.id);
        if (known) return known;
        const last = lastUnit(arrival.saleId, arrival.productId);
        const movement = { ...arrival, firstUnit: last + 1, lastUnit: last + units };
        movements.set(arrival.id, movement);
        return movement;
      },
    }),
    ledger: port<CreateSaleDeps['ledger']>({
      putSale: async (...args) => memory.putSale(...args),
      raise: async (...args) => memory.raise(...args),
      clock: async () => nowMs,
      shownStock: async (places) => places.map((place) => stockOf(place)),
    }),
    clock,
    random,
    log: createLogger({ service: 'test', level: 'silent' }),
  };

  function stockOf({ saleId, productId }: { saleId: string; productId: string }) {
    const stored = memory.dump()[keys.sale(saleId).stock] as Record<string, string> | undefined;
    const field = (name: string) => Number(stored?.[`${productId}:${name}`] ?? NaN);
    if (Number.isNaN(field('last'))) return null;
    const stock = field('last') - field('gone');
    return { stock, available: field('available'), reserved: stock - field('available') };
  }

  /** order-service, which does not die here: what it was asked for once is done, or done again. */
  const houseOrders: HouseOrders = {
    make: async ({ operationId, saleId, to = '', by, items }) => {
      const [item] = items;
      if (!item) throw new Error('no item');
      const [reply] = memory.reserve(saleId, [
        {
          orderId: random.objectId(),
          userId: by,
          kind: 'house',
          digest: operationId,
          fingerprint: operationId,
          facts: '{}',
          items: [item],
        },
      ]);
      if (reply?.status === 'sold_out')
        return { kind: 'insufficient-stock', products: reply.products };
      if (reply?.status !== 'reserved' && reply?.status !== 'replayed')
        throw new Error(`no house order: ${JSON.stringify(reply)}`);
      const orderId = reply.status === 'reserved' ? reply.record.orderId : reply.orderId;
      if (reply.status === 'reserved')
        memory.ship(saleId, [{ orderId, units: reply.record.units }]);
      const { quantity: units, productId } = item;
      await receiveUnits(ports, { houseOrderId: orderId, saleId: to, productId, units, by });
      return { kind: 'made', orderId };
    },
  };

  const deps: CreateSaleDeps & RunSalesDeps & SetStockDeps = {
    ...ports,
    houseOrders: port(houseOrders),
  };

  return {
    deps,
    memory,
    products,
    timed,
    stockOf,
    pass: (ms: number) => (nowMs += ms),
    nowMs: () => nowMs,
    shardOf: keys.shardOf,
    /** The process dies right before (or after) its nth step from now; never when n is not given. */
    dieAt: (n = Infinity, after = false) => {
      [stepsLeft, diesAfter, steps] = [n, after, 0];
    },
    steps: () => steps,
    state: (id: string) => {
      const sale = timed.get(id);
      return sale && saleState(sale, nowMs);
    },
    /** A product with this stock in its merchant's standing sale. */
    givenProduct: async (stock: number, merchantId = 'a'.repeat(24)) => {
      const id = random.objectId();
      const { pendingSince: _, ...product } = draftProduct(
        {
          merchantId,
          sku: id,
          name: 'Lamp',
          description: '',
          category: 'lamps',
          price: 5_000,
          currency: 'USD',
          stock,
        },
        { id, at: new Date(nowMs) },
      );
      products.set(id, product);
      const sale = await ports.sales.raiseSettingsVersion(merchantId);
      memory.putSale(
        {
          saleId: merchantId,
          settingsVersion: sale.settingsVersion,
          state: 'live',
          opensAtMs: 0,
          closesAtMs: 0,
          perBuyerLimit: 0,
          holdMs: 0,
          durability: 'safe',
          products: [{ productId: id, price: 5_000, away: false }],
        },
        !sale.ledgerReady,
      );
      await ports.sales.markPut(merchantId, 1);
      await ports.movements.append({
        id: `${id}:initial`,
        saleId: merchantId,
        productId: id,
        units: stock,
        reason: 'initial',
        by: merchantId,
        at: new Date(nowMs),
      });
      memory.raise(merchantId, id, stock);
      return { productId: id, merchantId };
    },
  };
}

export type SaleWorld = ReturnType<typeof createSaleWorld>;
