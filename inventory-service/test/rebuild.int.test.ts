import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mongo as driver } from 'mongoose';
import request from 'supertest';
import {
  createMongoOrderStore,
  createOrderIndexes,
  orderCreatedEvent,
  orderFromHold,
  type Order,
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

jest.setTimeout(60_000);
const stock = 40;

let orderService: Server;
let fixture: InventoryFixture;
/** A second service on the same stores. */
let other: InventoryFixture;
let saleId: string;
let productId: string;
/** What order-service does when it is asked to record what is left of a sale. */
let recording: () => Promise<unknown>;

beforeAll(async () => {
  orderService = createServer(({ url }, res) => {
    const [, asked = ''] = /sales\/(\w+)\/record$/.exec(url ?? '') ?? [];
    void Promise.all([recordLeft(asked), recording()]).then(([holds]) =>
      res.setHeader('content-type', 'application/json').end(JSON.stringify(holds)),
    );
  }).listen(0, '127.0.0.1');
  await once(orderService, 'listening');
  const { port } = orderService.address() as AddressInfo;
  const env = {
    ...process.env,
    ORDER_SERVICE_ADMIN_URL: `http://127.0.0.1:${port}`,
    QUICKSALE_REPAIRS_OFF: '',
  };
  const namespace = testNamespace('rebuild');
  fixture = await startInventory(env, namespace);
  other = await startInventory(env, namespace);
  await createOrderIndexes(fixture.mongo);
}, 60_000);
afterAll(async () => {
  await Promise.all([fixture.stop(), other.stop()]);
  orderService.close();
}, 60_000);
beforeEach(async () => {
  recording = async () => undefined;
  saleId = objectId();
  productId = String(
    (await post('/api/inventory/products', newProduct).expect(201)).body.product._id,
  );
});

const newProduct = { name: 'n', description: 'd', price: 1, stock, sku: 'S', category: 'c' };
const post = (path: string, body: object) =>
  request(fixture.service.app)
    .post(path)
    .set('Authorization', `Bearer ${tokenFor('MERCHANT', saleId)}`)
    .set('Idempotency-Key', objectId())
    .send(body);

/** As order-service does it, without what it does about trouble. */
async function recordLeft(id: string) {
  const { unrecorded } = await fixture.ledger.markedOrders(id);
  const records = await fixture.ledger.peekHolds(id, unrecorded);
  const orders = records.flatMap((record) => (record ? [orderFromHold(record, id)] : []));
  const outcomes = await createMongoOrderStore(fixture.mongo).insertMany(orders);
  const recorded = outcomes.filter(({ kind }) => kind === 'inserted').length;
  return { holds: orders.length, recorded };
}

const orders = () =>
  fixture.mongo.db().collection<Omit<Order, 'id'> & { _id: driver.ObjectId }>('orders');
const change = (id: string, update: object) =>
  orders().updateOne({ _id: new driver.ObjectId(id) }, update);
const cancel = ({ id, units = [] }: Order) =>
  change(id, {
    $set: { status: 'CANCELLED', inventoryStatus: 'RELEASED', releasing: units },
    $unset: { units: '' },
  });
const sell = ({ id, units = [] }: Order) =>
  change(id, { $set: { status: 'DELIVERED', inventoryStatus: 'SOLD', shipping: units } });

/** What the outbox scan does with orders that are marked. */
async function scan(): Promise<void> {
  for (const { _id, releasing, shipping } of await orders().find({ saleId }).toArray()) {
    const named = (names: readonly string[] = []) => [
      { orderId: _id.toHexString(), units: unitsByProduct(names) },
    ];
    if (releasing) await fixture.ledger.release(saleId, named(releasing));
    if (shipping) await fixture.ledger.ship(saleId, named(shipping));
  }
}

async function untilLive(): Promise<void> {
  await eventually(async () => {
    expect(await fixture.ledger.saleStates([saleId])).toEqual(['live']);
  }, 30_000);
}

/** I1 to the unit; each number in one place. */
async function expectBalanced(last = stock): Promise<void> {
  await scan();
  const snapshot = await fixture.ledger.snapshot(saleId);
  if (typeof snapshot === 'string') throw new Error(snapshot);
  expect(snapshot.fenced).toBe(false);
  const found = await orders().find({ saleId }).toArray();
  const owned = (statuses: string[]) =>
    found
      .filter(({ inventoryStatus }) => statuses.includes(inventoryStatus))
      .flatMap(({ units = [] }) => unitsByProduct(units)[productId] ?? [])
      .sort((a, b) => a - b);
  const inRecords = snapshot.records
    .flatMap(({ units }) => units[productId] ?? [])
    .sort((a, b) => a - b);
  expect(inRecords).toEqual(owned(['PENDING', 'RESERVED']));
  const line = snapshot.products[productId];
  const gone = owned(['SOLD']);
  expect(line).toMatchObject({
    ...{ last, gone: gone.length, held: 0, available: last - gone.length - inRecords.length },
  });
  const { client } = fixture.redis.serverOf(fixture.keys.sale(saleId).sale);
  const free = await client.zrange(fixture.keys.free(saleId, productId), 0, '-1');
  expect([...free.map(Number), ...inRecords, ...gone].sort((a, b) => a - b)).toEqual(
    Array.from({ length: (line?.next ?? 0) - 1 }, (_, index) => index + 1),
  );
  for (const { _id, idempotencyDigest, requestFingerprint } of found)
    expect(await client.get(fixture.keys.idem(saleId, idempotencyDigest ?? ''))).toBe(
      `${_id.toHexString()} ${requestFingerprint}`,
    );
}

const keysOfSale = () => {
  const { sale, stock: lines, buyers, holds, bare } = fixture.keys.sale(saleId);
  return [sale, lines, buyers, holds, bare, fixture.keys.free(saleId, productId)];
};
const clientOf = () => fixture.redis.serverOf(fixture.keys.sale(saleId).sale).client;

async function deleteKeys(): Promise<void> {
  for (const key of keysOfSale()) await clientOf().del(key);
}

const dumpKeys = () => Promise.all(keysOfSale().map((key) => clientOf().dumpBuffer(key)));

/** In one step: a sale that is away for a moment is itself a sign. */
async function setBack(before: readonly (Buffer | null)[]): Promise<void> {
  const restoring = clientOf().multi();
  for (const [index, key] of keysOfSale().entries()) {
    restoring.del(key);
    const dump = before[index];
    if (dump) restoring.restore(key, 0, dump);
  }
  await restoring.exec();
}

describe('a sale whose ledger', () => {
  it('lost all keys is back by itself, and sells on', async () => {
    const placed = [];
    for (let n = 0; n < 8; n += 1) placed.push(await placeOrder(fixture, saleId, productId, 2));
    await cancel(placed[1] as Order);
    await sell(placed[2] as Order);
    await fixture.ledger.ship(saleId, [
      { orderId: placed[3]?.id ?? '', units: unitsByProduct(placed[3]?.units ?? []) },
    ]);
    await sell(placed[3] as Order);
    for (const { idempotencyDigest } of placed)
      await clientOf().del(fixture.keys.idem(saleId, idempotencyDigest ?? ''));
    await deleteKeys();
    await untilLive();
    await expectBalanced();
    for (let n = 0; n < stock - 14; n += 1) await placeOrder(fixture, saleId, productId);
    await expect(placeOrder(fixture, saleId, productId)).rejects.toThrow('sold_out');
    await expectBalanced();
    const { body } = await request(fixture.service.app).get(`/api/inventory/products/${productId}`);
    expect(body).toMatchObject({ stock: stock - 4, available: 0 });
    const told = [...fixture.lines, ...other.lines].filter((line) => line.saleId === saleId);
    const done = told.find(({ msg }) => msg.startsWith('rebuilt'));
    expect(done).toMatchObject({ orders: 8, records: 5, keys: 8, products: 1 });
    expect(done?.elapsedMs).toEqual(expect.any(Number));
  });

  it('was set back, or has lost single records, is right again', async () => {
    const early = await placeOrder(fixture, saleId, productId, 3);
    const before = await dumpKeys();
    const late = await placeOrder(fixture, saleId, productId, 3);
    await setBack(before);
    // The sign: an order is announced of which there is no record.
    await fixture.bus.publish([orderCreatedEvent(late)]);
    await eventually(async () => {
      const held = await fixture.ledger.readHolds(saleId, [early.id, late.id]);
      expect(held).toMatchObject({
        epoch: 2,
        records: [{ orderId: early.id }, { orderId: late.id }],
      });
    }, 30_000);
    await expectBalanced();
    await clientOf().hdel(fixture.keys.sale(saleId).holds, early.id);
    await fixture.ledger.fence(saleId, 2);
    await untilLive();
    await expectBalanced();
  });

  it('was set back over a new product sells it again, at its price', async () => {
    const before = await dumpKeys();
    const { body } = await post('/api/inventory/products', { ...newProduct, sku: 'T', price: 7 });
    const later = String(body.product._id);
    await setBack(before);
    // As after the restart by which a ledger is set back.
    await clientOf().del(fixture.keys.sale(saleId).admitted);
    await eventually(async () => {
      const order = await placeOrder(fixture, saleId, later);
      expect(order.totalAmount).toBe(700);
    }, 10_000);
  });

  it('lost all keys has its orders at the price they were made at', async () => {
    const pricing = {
      taxRate: 1_900,
      shipping: { flat: 490 },
      discount: { code: 'TEN', kind: 'percentage', value: 1_000 },
    } as const;
    const terms = { merchantId: objectId(), pricing };
    const order = await placeOrder(fixture, saleId, productId, 2, terms);
    expect(order.totalAmount).not.toBe(order.subtotal);
    await deleteKeys();
    await untilLive();
    const held = await fixture.ledger.readHolds(saleId, [order.id]);
    const record = typeof held === 'object' ? held.records[0] : undefined;
    expect(record && orderFromHold(record, saleId)).toEqual(order);
  });

  it('had unrecorded holds left has their orders recorded first', async () => {
    const { id } = await placeOrder(fixture, saleId, productId, 2);
    await orders().deleteOne({ _id: new driver.ObjectId(id) });
    await fixture.ledger.fence(saleId, 1);
    await untilLive();
    expect(await orders().countDocuments({ _id: new driver.ObjectId(id) })).toBe(1);
    expect(await fixture.ledger.markedOrders(saleId)).toEqual({ due: [], unrecorded: [] });
    await expectBalanced();
  });

  it('is rebuilt while a cancel, a restock and an insert happen', async () => {
    const given = await placeOrder(fixture, saleId, productId, 2);
    const lateOne = await placeOrder(fixture, saleId, productId, 2);
    const sold = await placeOrder(fixture, saleId, productId, 2);
    await orders().deleteOne({ _id: new driver.ObjectId(lateOne.id) });
    let happened = 0;
    recording = async () => {
      if ((happened += 1) > 1) return;
      await cancel(given);
      await sell(sold);
      expect(await fixture.ledger.saleStates([saleId])).toEqual(['fenced']);
      await post(`/api/inventory/products/${productId}/restock`, {
        units: 5,
        reason: 'found',
      }).expect(200);
    };
    await deleteKeys();
    await untilLive();
    expect(happened).toBeGreaterThan(0);
    // It was in flight all the time.
    await createMongoOrderStore(fixture.mongo).insertMany([lateOne]);
    await fixture.bus.publish([orderCreatedEvent(lateOne)]);
    await eventually(async () => {
      const held = await fixture.ledger.readHolds(saleId, [lateOne.id]);
      expect(held).toMatchObject({ records: [{ orderId: lateOne.id }] });
    }, 30_000);
    await eventually(async () => expectBalanced(stock + 5), 30_000);
  });

  it('two services rebuild at once comes to one result', async () => {
    const { id } = await placeOrder(fixture, saleId, productId, 2);
    const rebuild = (service: InventoryFixture) =>
      request(`http://127.0.0.1:${service.service.adminPort()}`)
        .post(`/internal/sales/${saleId}/rebuild`)
        .set('x-internal-key', 'an internal key of a test');
    const statuses: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      if (round % 2) await deleteKeys();
      const answers = await Promise.all([rebuild(fixture), rebuild(other), rebuild(fixture)]);
      statuses.push(...answers.map(({ status }) => status));
    }
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
    await untilLive();
    await expectBalanced();
    const held = await fixture.ledger.readHolds(saleId, [id]);
    const [lease] = await fixture.mongo
      .db()
      .collection<{ _id: string; epoch: number }>('ledger-rebuilds')
      .find({ _id: saleId })
      .toArray();
    expect(held).toMatchObject({ epoch: lease?.epoch });
    expect((await rebuild(fixture).unset('x-internal-key')).status).toBe(401);
  });
});
