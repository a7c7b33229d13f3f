import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import {
  applyFact,
  createMongoOrderStore,
  createOrderIndexes,
  type Fact,
  type Order,
  type OrderStore,
} from '@quicksale/shared/orders';
import { unitsByProduct } from '@quicksale/shared/stock-ledger';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import {
  objectId,
  placeOrder,
  startInventory,
  tokenFor,
  type InventoryFixture,
} from './inventory-fixture.ts';

jest.setTimeout(90_000);
const stock = 400;

let orderService: Server;
let fixture: InventoryFixture;
let store: OrderStore;
let saleId: string;
let productId: string;

beforeAll(async () => {
  // order-service has nothing left to record in any of these sales.
  orderService = createServer((_req, res) => {
    res.setHeader('content-type', 'application/json').end('{"holds":0,"recorded":0}');
  }).listen(0, '127.0.0.1');
  await once(orderService, 'listening');
  const { port } = orderService.address() as AddressInfo;
  const env = {
    ...process.env,
    ORDER_SERVICE_ADMIN_URL: `http://127.0.0.1:${port}`,
    QUICKSALE_REPAIRS_OFF: '',
  };
  fixture = await startInventory(env, testNamespace('shipped'), { everyMs: 20, restMs: 100 });
  await createOrderIndexes(fixture.mongo);
  store = createMongoOrderStore(fixture.mongo);
});
afterAll(async () => {
  await fixture?.stop();
  orderService?.close();
});
beforeEach(async () => {
  saleId = objectId();
  const made = await request(fixture.service.app)
    .post('/api/inventory/products')
    .set('Authorization', `Bearer ${tokenFor('MERCHANT', saleId)}`)
    .send({ name: 'n', description: 'd', price: 1, stock, sku: 'S', category: 'c' })
    .expect(201);
  productId = String(made.body.product._id);
});

/** A fact as order-service brings it to an order, up to the step after which it is to stop. */
async function bring(
  { id }: Order,
  fact: Omit<Fact, 'at'> & { type: Fact['type'] },
  until: 'written' | 'left' | 'finished' = 'finished',
): Promise<void> {
  const [order] = await store.findByIds([id]);
  if (!order) throw new Error('no order');
  const outcome = applyFact(order, { ...fact, at: new Date() } as Fact);
  if (outcome.kind !== 'changed') throw new Error(`${fact.type}: ${outcome.kind}`);
  const { change } = outcome;
  expect(await store.applyChanges([{ id, change }])).toEqual({ matched: 1 });
  if (until === 'written') return;
  const { release = [], ship = [] } = change;
  if (release.length > 0)
    await fixture.ledger.release(saleId, [{ orderId: id, units: unitsByProduct(release) }]);
  if (ship.length > 0)
    await fixture.ledger.ship(saleId, [{ orderId: id, units: unitsByProduct(ship) }]);
  if (until === 'left') return;
  await store.finishRelease([{ id, units: release }]);
  await store.finishShipping([{ id, units: ship }]);
}

const by = 'merchant';
const fulfil = (order: Order, to: string, until?: 'written' | 'left') =>
  bring(order, { type: 'fulfil', to, by } as never, until);
const cancelOne = (order: Order) =>
  bring(order, { type: 'cancel', by, units: [{ productId, quantity: 1 }] } as never);

/** An order of a buyer that is being packed. */
async function givenPacked(quantity = 1): Promise<Order> {
  const order = await placeOrder(fixture, saleId, productId, quantity);
  await fixture.ledger.strikeOff(saleId, [order.id]);
  const outbox = { outboxId: `${order.id}:1`, cause: `${order.id}:result` };
  const found = { outcome: 'RESERVED', paymentRequired: false } as const;
  await bring(order, { type: 'inventory-result', ...outbox, ...found } as never);
  await fulfil(order, 'PROCESSING');
  return order;
}

async function shipped(quantity = 1): Promise<Order> {
  const order = await givenPacked(quantity);
  await fulfil(order, 'SHIPPED');
  return order;
}

const alarms = () =>
  fixture.lines.filter((line) => line.saleId === saleId && line.drift !== undefined);
async function walks(count: number): Promise<void> {
  const url = `http://127.0.0.1:${fixture.service.adminPort()}/metrics`;
  const walked = async () =>
    Number(/^quicksale_sale_audits_total (\S+)$/m.exec(await (await fetch(url)).text())?.[1]);
  const before = await walked();
  await eventually(async () => expect(await walked()).toBeGreaterThanOrEqual(before + count));
}
async function line() {
  const snapshot = await fixture.ledger.snapshot(saleId);
  if (typeof snapshot === 'string') throw new Error(snapshot);
  const { available, gone, last } = snapshot.products[productId] ?? {};
  const held = snapshot.records.flatMap(({ units }) => units[productId] ?? []).length;
  return { available, gone, last, held };
}
const verdict = async () => {
  const { body } = await request(fixture.service.app)
    .get(`/api/sales/${saleId}/audit`)
    .set('Authorization', `Bearer ${tokenFor('MERCHANT', saleId)}`)
    .expect(200);
  return body as { verdict: string; drifts: unknown[]; units: { place: string; status: string }[] };
};

async function set({ id }: Order, fields: Record<string, unknown>): Promise<void> {
  const { Types } = fixture.mongo.connection.base;
  const orders = fixture.mongo.db().collection('orders');
  await orders.updateOne({ _id: new Types.ObjectId(id) }, { $set: fields });
}

/** Every way in which units of buyers leave: 12 units are gone, 4 more are on their way. */
async function givenShipments() {
  await givenPacked(2);
  await shipped(3);
  const rest = await givenPacked(3);
  await cancelOne(rest);
  await fulfil(rest, 'SHIPPED');
  const delivered = await shipped(2);
  await fulfil(delivered, 'DELIVERED');
  const refunded = await givenPacked(2);
  await set(refunded, { paymentStatus: 'PAID' });
  await fulfil(refunded, 'SHIPPED');
  await bring(refunded, { type: 'refund', by, reason: 'r', cause: 'c' } as never);
  const left = await givenPacked(3);
  await fulfil(left, 'SHIPPED', 'left');
  const written = await givenPacked(4);
  await fulfil(written, 'SHIPPED', 'written');
  // Under way for as long as the test wants it, however slow the machine is.
  for (const order of [left, written])
    await set(order, { updatedAt: new Date(Date.now() + 3_600_000) });
  return { left, written };
}
const [packed, gone, onTheirWay] = [2, 3 + 2 + 2 + 2 + 3, 4];

describe("buyers' orders that are shipped", () => {
  it('are no drift, whatever step they are at, and late ones leave', async () => {
    const { left, written } = await givenShipments();
    await walks(3);
    expect(alarms()).toEqual([]);
    const held = packed + onTheirWay;
    expect(await line()).toEqual({ last: stock, gone, held, available: stock - gone - held });
    const report = await verdict();
    expect([report.verdict, report.drifts]).toEqual(['ok', []]);
    const places = Map.groupBy(report.units, ({ place }) => place);
    expect(places.get('sold')).toHaveLength(gone + onTheirWay);
    expect(places.get('held')).toHaveLength(packed);
    expect(places.get('given-back')).toHaveLength(1);
    // Nobody comes for what is marked, so after 5 s the auditor lets it leave.
    for (const order of [left, written])
      await set(order, { updatedAt: new Date(Date.now() - 6_000) });
    await eventually(
      async () => expect(await line()).toMatchObject({ gone: gone + onTheirWay, held: packed }),
      20_000,
    );
    const told = alarms().map(({ level, drift, orderId }) => ({ level, drift, orderId }));
    expect(new Set(told.map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify({ level: 'warn', drift: 'sold-unit-held', orderId: written.id })]),
    );
    expect(await store.findByIds([left.id])).toMatchObject([{ status: 'SHIPPED' }]);
  });

  it('stay gone when the ledger is written anew, marked or not', async () => {
    const { written } = await givenShipments();
    const keys = fixture.keys.sale(saleId);
    const { client } = fixture.redis.serverOf(keys.sale);
    const free = fixture.keys.free(saleId, productId);
    for (const key of [keys.sale, keys.stock, keys.buyers, keys.holds, keys.bare, free])
      await client.del(key);
    await eventually(
      async () => expect(await fixture.ledger.saleStates([saleId])).toEqual(['live']),
      30_000,
    );
    const all = gone + onTheirWay;
    const rebuilt = { last: stock, gone: all, held: packed, available: stock - all - packed };
    expect(await line()).toEqual(rebuilt);
    // What the outbox scan does then finds nothing to take.
    const [marked] = await store.findByIds([written.id]);
    const units = unitsByProduct(marked?.shipping ?? []);
    expect(await fixture.ledger.ship(saleId, [{ orderId: written.id, units }])).toEqual([
      'already',
    ]);
    expect(await line()).toEqual(rebuilt);
    await walks(3);
    expect(alarms()).toEqual([]);
    expect((await verdict()).verdict).toBe('ok');
  });

  it('do not keep a server from being admitted', async () => {
    await givenShipments();
    const { client } = fixture.connection;
    const admitted = [0, 1, 2, 3].map((shard) => fixture.keys.admitted(shard));
    for (const key of admitted) await client.del(key);
    await eventually(async () =>
      expect(await Promise.all(admitted.map((key) => client.get(key)))).not.toContain(null),
    );
    expect(await fixture.ledger.saleStates([saleId])).toEqual(['live']);
    await walks(3);
    expect(alarms()).toEqual([]);
  });

  it('are shipped while the auditor looks, and it sees nothing', async () => {
    const orders = await Promise.all(Array.from({ length: 120 }, () => givenPacked(2)));
    const open = [...orders];
    const worker = async () => {
      for (let order = open.pop(); order; order = open.pop()) {
        if (open.length % 3 === 0) await cancelOne(order);
        await fulfil(order, 'SHIPPED');
      }
    };
    await Promise.all([worker(), worker(), worker(), walks(10)]);
    await walks(3);
    expect(alarms()).toEqual([]);
    expect(await line()).toMatchObject({ held: 0, gone: 240 - 40 });
    expect((await verdict()).verdict).toBe('ok');
  });
});
