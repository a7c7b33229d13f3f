import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import { createLogger } from '@quicksale/shared/log';
import { createMemoryOrderStore } from '@quicksale/shared/orders';
import { createSystemRandom } from '@quicksale/shared/process';
import {
  createMemoryStockLedger,
  ledgerKeys,
  type ReserveReply,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { newId } from '@quicksale/shared/testing';
import type { CheckOutDeps } from '../src/cart/check-out.ts';
import { createMemoryCartStore } from '../src/cart/memory-cart-store.ts';
import { createMemoryCheckoutPlans } from '../src/cart/memory-checkout-plans.ts';
import { recordHolds } from '../src/intake/record-holds.ts';
import { createUnitReleaser, createUnitReturn } from '../src/outbox/release-units.ts';

/** A shop in memory: ledger, orders, carts and catalogue, and the real use cases on them. */
export function openMemoryShop() {
  let now = Date.UTC(2026, 0, 1);
  const log = createLogger({ service: 'test', level: 'silent' });
  const memory = createMemoryStockLedger({ keys: ledgerKeys('', 16), now: () => now });
  const ledger = memory as unknown as StockLedger;
  const orders = createMemoryOrderStore();
  const products = new Map<string, CatalogueProduct>();
  const forgotten: string[] = [];
  let number = 0;
  const deps: CheckOutDeps = {
    clock: { now: () => now },
    random: createSystemRandom(),
    catalogue: {
      find: async (ids) =>
        new Map(ids.flatMap((id) => products.get(id) ?? []).map((one) => [one.id, one])),
      forget: (id) => void forgotten.push(id),
    },
    pricing: {
      termsOf: async () => undefined,
      takeDiscount: async () => ({ status: 'unknown_discount' }),
      giveBack: async () => undefined,
    },
    orders,
    ledger: {
      readHolds: async (...asked) => ledger.readHolds(...asked),
      findKeys: async (...asked) => ledger.findKeys(...asked),
      pricedStock: async (...asked) => ledger.pricedStock(...asked),
      settle: async (...asked) => ledger.settle(...asked),
      reserve: async (saleId, request) => {
        const [reply] = await ledger.reserve(saleId, [request]);
        return reply as ReserveReply;
      },
    },
    recorder: {
      record: async (hold) => {
        const [outcome] = await recordHolds({ orders, ledger, log }, [hold]);
        return outcome ?? { kind: 'not-recorded' };
      },
    },
    early: { recordLater: () => false, complete: async () => false },
    numbers: { take: async () => `ORD-2026-${(number += 1)}`, giveBack: () => undefined },
    relay: { send: () => undefined },
    releaseUnits: createUnitReleaser({
      returnUnits: createUnitReturn({ ledger, log }),
      orders,
      log,
    }),
    shipUnits: async () => new Map(),
    repay: async () => undefined,
    carts: createMemoryCartStore(),
    plans: createMemoryCheckoutPlans(),
    log,
  };
  let settingsVersion = 0;
  const putSale = (saleId: string, prices: Readonly<Record<string, number>>) =>
    ledger.putSale(
      {
        ...{ saleId, settingsVersion: (settingsVersion += 1), state: 'live', durability: 'safe' },
        ...{ opensAtMs: 0, closesAtMs: 0, perBuyerLimit: 0, holdMs: 0 },
        products: Object.entries(prices).map(([productId, price]) => ({
          ...{ productId, price, away: false },
        })),
      },
      true,
    );

  return {
    deps,
    memory,
    products,
    forgotten,
    putSale,
    pass: (ms: number) => void (now += ms),
    /** A product with this stock, at 49.99 in a sale of its own. */
    givenProduct: async (stock = 10) => {
      const [id, saleId] = [newId(), newId()];
      const fields = { saleChangedAt: new Date(0), merchantId: saleId, currency: 'USD' };
      products.set(id, { id, saleId, ...fields, sku: 'LAMP', name: 'Lamp', archived: false });
      await putSale(saleId, { [id]: 4999 });
      await ledger.raise(saleId, id, stock);
      return { productId: id, saleId };
    },
    available: async (place: { saleId: string; productId: string }) =>
      (await ledger.pricedStock([place]))[0]?.available,
    ordersOf: async (userId: string) =>
      (await orders.listOwn(userId, { limit: 100 })).orders.map(({ saleId, status }) => ({
        saleId,
        status,
      })),
  };
}
