import { expect } from '@jest/globals';
import { ledgerKeys, type LedgerKeys } from '@quicksale/shared/stock-ledger';
import { eventually } from '@quicksale/shared/testing';
import { snapshotOf, storedOrders, unrecordedCount } from './books.ts';
import { expectBalanced, givenSale, type GivenSale, type SaleTerms } from './sale-books.ts';
import type { System } from './system.ts';

/** A buyer with an order of one unit. */
export interface Buyer {
  token: string;
  userId: string;
  orderId: string;
  /** Its number. */
  unit: number;
}

/** A sale of five units: 1 and 3 are in confirmed orders, 2 was given back, 4 and 5 never issued. */
export interface UsedSale extends GivenSale {
  /** Has unit 1. */
  stays: Buyer;
  /** Had unit 2. */
  gaveBack: Buyer;
  keys: ReturnType<LedgerKeys['sale']> & { free: string };
}

/** So long a ledger that was damaged may take to be whole again. */
export const repairMs = 60_000;

export async function givenUsedSale(system: System, terms: SaleTerms = {}): Promise<UsedSale> {
  const sale = await givenSale(system, 5, 5, terms);
  const keys = ledgerKeys(system.namespace, Number(system.env.LEDGER_SHARDS ?? 16));
  const [stays, gaveBack, third] = [
    await buyOne(system, sale),
    await buyOne(system, sale),
    await buyOne(system, sale),
  ];
  expect([stays.unit, gaveBack.unit, third.unit]).toEqual([1, 2, 3]);
  await giveBack(system, sale, gaveBack);
  await eventually(async () => {
    await expectConfirmed(system, sale, [stays, third]);
    expect(await unrecordedCount(system)).toBe(0);
    await expectBalanced(system, sale.saleId);
  });
  const free = keys.free(sale.saleId, sale.productId);
  return { ...sale, keys: { ...keys.sale(sale.saleId), free }, stays, gaveBack };
}

/** POST /api/orders of one unit, until the answer is final. */
export const order = (system: System, { productId }: GivenSale, token: string, key: string) =>
  system.api.placeOrderUntilFinal({ token, key, productId, limitMs: repairMs });

/** A new buyer's order of one unit; it must be taken. */
export async function buyOne(system: System, sale: GivenSale): Promise<Buyer> {
  const { token, userId } = system.signIn();
  const answer = await order(system, sale, token, 'mine');
  expect([answer.status, answer.body.code]).toEqual([201, undefined]);
  const { _id: orderId } = answer.body.order as { _id: string };
  const stored = (await storedOrders(system, sale.saleId)).find(({ id }) => id === orderId);
  return { token, userId, orderId, unit: Number(stored?.units?.[0]?.split(':')[2]) };
}

async function giveBack(system: System, sale: GivenSale, buyer: Buyer): Promise<void> {
  const { token, orderId } = buyer;
  await eventually(() => expectConfirmed(system, sale, [buyer]));
  const body = { reason: 'too dear' };
  const call = { method: 'POST', token, key: 'back', body } as const;
  expect((await system.api.call(`/api/orders/${orderId}/cancel`, call)).status).toBe(200);
  await eventually(async () => {
    const { records } = await snapshotOf(system, sale.saleId);
    expect(records.map((record) => record.orderId)).not.toContain(orderId);
  });
}

export async function expectConfirmed(
  system: System,
  { saleId }: GivenSale,
  buyers: readonly Buyer[],
): Promise<void> {
  const orders = new Map((await storedOrders(system, saleId)).map((one) => [one.id, one]));
  for (const { orderId } of buyers) expect(orders.get(orderId)?.status).toBe('CONFIRMED');
}

/** Who owns what, as the orders of a sale say. */
export const readOwners = async (system: System, { saleId }: GivenSale) =>
  (await storedOrders(system, saleId))
    .map(({ id, userId, status, units }) => ({ id, userId, status, units }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));

/** Open and balanced, every order as it was before, and the unit that was given back is sold next. */
export async function expectWhole(
  system: System,
  sale: UsedSale,
  before: Awaited<ReturnType<typeof readOwners>>,
): Promise<void> {
  await eventually(async () => {
    expect(await unrecordedCount(system)).toBe(0);
    expect(await readOwners(system, sale)).toEqual(before);
    await expectBalanced(system, sale.saleId);
  }, repairMs);
  const next = await buyOne(system, sale);
  expect(next.unit).toBe(2);
  await eventually(async () => {
    await expectConfirmed(system, sale, [next]);
    await expectBalanced(system, sale.saleId);
  });
}
