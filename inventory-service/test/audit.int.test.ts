import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { mongo as driver } from 'mongoose';
import request from 'supertest';
import type { Order } from '@quicksale/shared/orders';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import type { Overrides } from '../src/service.ts';
import {
  objectId,
  placeOrder,
  startInventory,
  tokenFor,
  type InventoryFixture,
} from './inventory-fixture.ts';

jest.setTimeout(60_000);

const stock = 9;
let fixture: InventoryFixture;
let saleId: string;
let productId: string;

/** A merchant's standing sale with a product, three orders that are recorded, and a freed unit. */
async function givenSale() {
  saleId = objectId();
  const made = await request(fixture.service.app)
    .post('/api/inventory/products')
    .set('Authorization', `Bearer ${tokenFor('MERCHANT', saleId)}`)
    .send({ name: 'n', description: 'd', price: 1, stock, sku: 'S', category: 'c' })
    .expect(201);
  productId = String(made.body.product._id);
  const orders = [await place(2), await place(1), await place(1)] as const;
  await cancel(orders[1]);
  return orders;
}

/** An order as it is once its mark is struck off. */
async function place(quantity: number): Promise<Order> {
  const order = await placeOrder(fixture, saleId, productId, quantity);
  await fixture.ledger.strikeOff(saleId, [order.id]);
  return order;
}

const update = (order: Order, change: driver.UpdateFilter<driver.Document>) =>
  fixture.mongo
    .db()
    .collection('orders')
    .updateOne({ _id: new driver.ObjectId(order.id) }, change);
const asCancelled = { $set: { inventoryStatus: 'RELEASED' }, $unset: { units: '' } };

async function cancel(order: Order): Promise<void> {
  await update(order, asCancelled);
  await fixture.ledger.release(saleId, [{ orderId: order.id, units: { [productId]: [3] } }]);
}

const alarms = () =>
  fixture.lines.filter((line) => line.saleId === saleId && line.drift !== undefined);
const snapshot = async () => {
  const found = await fixture.ledger.snapshot(saleId);
  if (typeof found === 'string') throw new Error(found);
  return found;
};
async function metric(name: string): Promise<number> {
  const text = await (
    await fetch(`http://127.0.0.1:${fixture.service.adminPort()}/metrics`)
  ).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}
/** So many walks through the books from here on. */
async function walks(count: number): Promise<void> {
  const before = await metric('quicksale_sale_audits_total');
  await eventually(async () =>
    expect(await metric('quicksale_sale_audits_total')).toBeGreaterThanOrEqual(before + count),
  );
}

/** Each drift: how it is made by hand, what the alarm says, and what makes it right. */
interface Case {
  name: string;
  make: (orders: Awaited<ReturnType<typeof givenSale>>) => Promise<unknown>;
  alarm: (orders: Awaited<ReturnType<typeof givenSale>>) => object;
  mended: (orders: Awaited<ReturnType<typeof givenSale>>) => Promise<void>;
}
const keysOf = () => fixture.keys.sale(saleId);
const redis = () => fixture.connection.client;
const isFenced = async () => expect(await snapshot()).toMatchObject({ fenced: true });

const cases: Case[] = [
  {
    name: 'a record of an order, removed',
    make: ([order]) => redis().hdel(keysOf().holds, order.id),
    alarm: ([{ id }]) => ({ drift: 'unit-not-held', productId, unit: 1, orderId: id }),
    mended: isFenced,
  },
  {
    name: 'available units, one more',
    make: () => redis().hincrby(keysOf().stock, `${productId}:available`, 1),
    alarm: () => ({ drift: 'available-wrong', productId, expected: 6, found: 7 }),
    mended: isFenced,
  },
  {
    name: 'a free unit, removed',
    make: () => redis().zrem(fixture.keys.free(saleId, productId), '3'),
    alarm: () => ({ drift: 'available-wrong', productId, expected: 5, found: 6 }),
    mended: isFenced,
  },
  {
    name: 'a free unit, removed with its count',
    make: () =>
      redis()
        .multi()
        .zrem(fixture.keys.free(saleId, productId), '3')
        .hincrby(keysOf().stock, `${productId}:available`, -1)
        .exec(),
    alarm: () => ({ drift: 'unit-lost', productId, unit: 3 }),
    mended: isFenced,
  },
  {
    name: 'units counted as gone, one more',
    make: () => redis().hincrby(keysOf().stock, `${productId}:gone`, 1),
    alarm: () => ({ drift: 'gone-too-high', productId, expected: 0, found: 1 }),
    mended: isFenced,
  },
  {
    name: 'units with a deadline, one more',
    make: () => redis().hincrby(keysOf().stock, `${productId}:held`, 1),
    alarm: () => ({ drift: 'held-wrong', productId, expected: 0, found: 1 }),
    mended: isFenced,
  },
  {
    name: 'the last unit, one more',
    make: () =>
      redis()
        .multi()
        .hincrby(keysOf().stock, `${productId}:last`, 1)
        .hincrby(keysOf().stock, `${productId}:available`, 1)
        .exec(),
    alarm: () => ({ drift: 'last-too-high', productId, expected: stock, found: stock + 1 }),
    mended: isFenced,
  },
  {
    name: 'settings, an older version',
    make: () => redis().hset(keysOf().sale, 'settingsVersion', 0),
    alarm: () => ({ drift: 'settings-lost' }),
    mended: isFenced,
  },
  {
    name: 'a held unit, free as well',
    make: () =>
      redis()
        .multi()
        .zadd(fixture.keys.free(saleId, productId), 4, '4')
        .hincrby(keysOf().stock, `${productId}:available`, 1)
        .exec(),
    alarm: ([, , { id }]) => ({ drift: 'unit-twice', productId, unit: 4, orderId: id }),
    mended: isFenced,
  },
  {
    name: 'the shipment of a SOLD order, not counted as gone',
    make: async ([order]) => {
      await update(order, { $set: { inventoryStatus: 'SOLD' } });
      await fixture.ledger.ship(saleId, [{ orderId: order.id, units: { [productId]: [1, 2] } }]);
      await redis().hincrby(keysOf().stock, `${productId}:gone`, -1);
    },
    alarm: () => ({ drift: 'gone-too-low', productId, expected: 2, found: 1 }),
    mended: isFenced,
  },
  {
    name: 'the document of a recorded order, removed',
    make: ([order]) =>
      fixture.mongo
        .db()
        .collection('orders')
        .deleteOne({ _id: new driver.ObjectId(order.id) }),
    alarm: ([{ id }]) => ({ drift: 'record-without-order', productId, unit: 1, orderId: id }),
    mended: async ([order]) => {
      const score = await redis().zscore(keysOf().unrecorded, `${saleId}/${order.id}`);
      expect(Number(score)).toBe(order.createdAt.getTime());
    },
  },
  {
    name: 'units that the document has given up',
    make: ([order]) => update(order, asCancelled),
    alarm: ([{ id }]) => ({ drift: 'unit-not-owned', productId, unit: 1, orderId: id }),
    mended: async () =>
      expect((await snapshot()).products[productId]).toMatchObject({ available: 8, gone: 0 }),
  },
  {
    name: 'a unit of several that the document has given up',
    make: ([order]) => update(order, { $set: { units: [`${saleId}:${productId}:2`] } }),
    alarm: ([{ id }]) => ({ drift: 'unit-not-owned', productId, unit: 1, orderId: id }),
    mended: async ([order]) => {
      const { products, records } = await snapshot();
      expect(products[productId]).toMatchObject({ available: 7, gone: 0 });
      expect(records.find(({ orderId }) => orderId === order.id)?.units[productId]).toEqual([2]);
    },
  },
  {
    name: 'units of a SOLD order that have not left',
    make: ([order]) => update(order, { $set: { inventoryStatus: 'SOLD' } }),
    alarm: ([{ id }]) => ({ drift: 'sold-unit-held', productId, unit: 1, orderId: id }),
    mended: async () =>
      expect((await snapshot()).products[productId]).toMatchObject({ available: 6, gone: 2 }),
  },
];

const start = (audit: NonNullable<Overrides['audit']>) =>
  startInventory(process.env, testNamespace('audit'), {
    everyMs: 10,
    restMs: 50,
    ...(audit as object),
  });

describe('the auditor', () => {
  let orders: Awaited<ReturnType<typeof givenSale>>;
  beforeAll(async () => {
    fixture = await start({});
  });
  afterAll(() => fixture.stop());
  beforeEach(async () => {
    orders = await givenSale();
    await walks(3);
    expect(alarms()).toEqual([]);
  });

  it.each(cases)('reports and mends: $name', async ({ make, alarm, mended }) => {
    await make(orders);
    const madeAt = performance.now();
    await eventually(
      () => expect(alarms()).toContainEqual(expect.objectContaining(alarm(orders))),
      30_000,
    );
    const tookMs = Math.round(performance.now() - madeAt);
    if (process.env.SHOW_FIGURES) process.stderr.write(`reported after ${tookMs} ms\n`);
    await eventually(() => mended(orders));
    // What was mended is over, and what is fenced is not judged.
    await eventually(async () => expect(await metric('quicksale_stock_drift_units')).toBe(0));
    expect(await metric('quicksale_oversold_units_total')).toBe(0);
  });

  it('looks again at a sale that stands still once newer settings of it were put', async () => {
    saleId = objectId();
    const settings = { opensAtMs: 0, closesAtMs: 0, perBuyerLimit: 0, holdMs: 0, products: [] };
    await fixture.ledger.putSale(
      { saleId, ...settings, settingsVersion: 1, state: 'live', durability: 'safe' },
      true,
    );
    const sales = fixture.mongo.db().collection<{ _id: string }>('sales');
    await sales.insertOne({ _id: saleId, ...{ kind: 'standing', ledgerReady: true } });
    // The list of sales is read every 2 s.
    await sleep(2_500);
    await walks(3);
    await sales.updateOne({ _id: saleId }, { $set: { putVersion: 2 } });
    await eventually(() => expect(alarms()).toMatchObject([{ drift: 'settings-lost' }]), 30_000);
    await eventually(isFenced);
  });

  it('does not judge a fenced sale', async () => {
    await fixture.ledger.fence(saleId, 1);
    await redis().hdel(keysOf().holds, orders[0].id);
    await walks(3);
    expect(alarms()).toEqual([]);
    expect(await metric('quicksale_sales_unjudged')).toBeGreaterThan(0);
  });

  it('leaves alone what is unrecorded, or being released or shipped', async () => {
    // Under way for as long as the test wants it, however slow the machine is.
    const fresh = new Date(Date.now() + 3_600_000);
    const [first, , third] = orders;
    const unrecorded = await placeOrder(fixture, saleId, productId);
    await fixture.mongo
      .db()
      .collection('orders')
      .deleteOne({ _id: new driver.ObjectId(unrecorded.id) });
    await update(first, {
      $set: { inventoryStatus: 'RELEASED', releasing: first.units, updatedAt: fresh },
      $unset: { units: '' },
    });
    await update(third, {
      $set: { inventoryStatus: 'SOLD', shipping: third.units, updatedAt: fresh },
    });
    await walks(3);
    expect(alarms()).toEqual([]);
    // After 5 s it is late: mended, and told as what it is.
    for (const order of [first, third])
      await update(order, { $set: { updatedAt: new Date(Date.now() - 6_000) } });
    await eventually(() =>
      expect(alarms()).toContainEqual(
        expect.objectContaining({ level: 'warn', drift: 'unit-not-owned', orderId: first.id }),
      ),
    );
    await eventually(async () =>
      expect((await snapshot()).products[productId]).toMatchObject({ available: 7, gone: 1 }),
    );
  });
});

describe('the auditor with its repairs switched off', () => {
  let orders: Awaited<ReturnType<typeof givenSale>>;
  beforeAll(async () => {
    fixture = await start({ repairs: [] });
  });
  afterAll(() => fixture.stop());
  beforeEach(async () => {
    orders = await givenSale();
  });

  it.each(cases)('reports, and it stays: $name', async ({ make, alarm, mended }) => {
    const before = await metric('quicksale_stock_drift_units');
    await make(orders);
    await eventually(
      () => expect(alarms()).toContainEqual(expect.objectContaining(alarm(orders))),
      30_000,
    );
    await walks(3);
    expect(await metric('quicksale_stock_drift_units')).toBeGreaterThan(before);
    await expect(mended(orders)).rejects.toThrow();
    expect(await metric('quicksale_audit_repairs_total\\{repair="fence"\\}')).toBe(0);
  });
});
