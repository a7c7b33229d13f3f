import { expect } from '@jest/globals';
import { snapshotOf, storedOrders } from './books.ts';
import type { System } from './system.ts';

export interface SaleTerms {
  opensAt?: Date;
  closesAt?: Date;
  perBuyerLimit?: number;
  holdMs?: number;
  durability?: 'safe' | 'fast';
}

export interface GivenSale {
  productId: string;
  /** Id of the standing sale as well. */
  merchantId: string;
  saleId: string;
  /** The merchant's. */
  token: string;
}

/** A timed sale of `allotted` units of a new product that has `stock`; open now unless told else. */
export async function givenSale(
  system: System,
  stock: number,
  allotted: number,
  terms: SaleTerms = {},
): Promise<GivenSale> {
  const { productId, saleId: merchantId, token } = await system.givenProduct(stock);
  const made = await createSale(system, { productId, token, allotted, terms });
  if (made.status !== 201) throw new Error(`no sale: ${made.text}`);
  return { productId, merchantId, saleId: String(made.body._id), token };
}

/** POST /api/sales of one product. */
export const createSale = (
  system: System,
  wish: { productId: string; token: string; allotted: number; terms?: SaleTerms },
) =>
  system.api.call('/api/sales', {
    token: wish.token,
    body: {
      name: 'Flash sale',
      opensAt: (wish.terms?.opensAt ?? new Date(Date.now() - 1_000)).toISOString(),
      closesAt: (wish.terms?.closesAt ?? new Date(Date.now() + 3_600_000)).toISOString(),
      perBuyerLimit: wish.terms?.perBuyerLimit ?? 0,
      holdMs: wish.terms?.holdMs ?? 0,
      durability: wish.terms?.durability ?? 'safe',
      items: [{ productId: wish.productId, price: 19.99, stock: wish.allotted }],
    },
  });

/** Units that a product has in a sale: `last - gone`; 0 where it never had any. */
export async function stockIn(system: System, saleId: string, productId: string): Promise<number> {
  const [stock] = await system.ledger.shownStock([{ saleId, productId }]);
  return stock?.stock ?? 0;
}

/** I1 to the unit, with nothing set aside: ledger, movements and orders of a sale say the same. */
export async function expectBalanced(system: System, saleId: string): Promise<void> {
  const { products, records, fenced } = await snapshotOf(system, saleId);
  expect(fenced).toBe(false);
  const orders = await storedOrders(system, saleId);
  for (const [productId, line] of Object.entries(products)) {
    const inRecords = records.reduce((sum, one) => sum + (one.units[productId]?.length ?? 0), 0);
    expect(line.available + inRecords + line.gone).toBe(line.last);
    const movements = system.mongo
      .db()
      .collection<{ lastUnit: number }>('stock-movements')
      .find({ saleId, productId })
      .sort({ lastUnit: -1 })
      .limit(1);
    const [highest] = await movements.toArray();
    expect(highest?.lastUnit ?? 0).toBe(line.last);
    const sold = orders
      .filter(({ inventoryStatus }) => inventoryStatus === 'SOLD')
      .flatMap(({ units }) => units ?? [])
      .filter((unit) => unit.includes(`:${productId}:`));
    expect(line.gone).toBe(sold.length);
  }
  const held = records.flatMap(({ units }) =>
    Object.entries(units).flatMap(([productId, numbers]) =>
      numbers.map((number) => `${saleId}:${productId}:${number}`),
    ),
  );
  const owned = orders
    .filter(({ inventoryStatus }) => ['PENDING', 'RESERVED'].includes(inventoryStatus))
    .flatMap(({ units }) => units ?? []);
  expect(held.sort()).toEqual(owned.sort());
}
