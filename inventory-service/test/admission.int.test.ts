import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mongo as driver } from 'mongoose';
import request from 'supertest';
import type { Order } from '@quicksale/shared/orders';
import { unitsByProduct } from '@quicksale/shared/stock-ledger';
import { eventually } from '@quicksale/shared/testing';
import {
  objectId,
  placeOrder,
  startInventory,
  startOwnLedger,
  tokenFor,
  type InventoryFixture,
} from './inventory-fixture.ts';

// Runners and servers that start again take their time.
jest.setTimeout(30_000);

let own: Awaited<ReturnType<typeof startOwnLedger>>;
let fixture: InventoryFixture;
let saleId: string;
let productId: string;

beforeAll(async () => {
  own = await startOwnLedger();
  fixture = await startInventory(own.env);
}, 60_000);
afterAll(async () => {
  await fixture.stop();
  await own.stop();
}, 60_000);
beforeEach(async () => {
  saleId = objectId();
  productId = String((await post('FIRST', saleId).expect(201)).body.product._id);
});

const path = '/api/inventory/products';
const post = (sku: string, merchantId: string) =>
  request(fixture.service.app)
    .post(path)
    .set('Authorization', `Bearer ${tokenFor('MERCHANT', merchantId)}`)
    .send({ name: 'n', description: 'd', price: 1, stock: 9, sku, category: 'c' });
const read = async (id: string): Promise<unknown> =>
  (await request(fixture.service.app).get(`${path}/${id}`)).body;
const errorsOf = (id: string) =>
  fixture.lines.filter(({ level, saleId }) => level === 'error' && saleId === id);
const nameUnits = ({ id, units = [] }: Order) => ({ orderId: id, units: unitsByProduct(units) });
const idemKey = (order: Order) => fixture.keys.idem(order.saleId, order.idempotencyDigest ?? '');

async function expectAdmitted({ connection, keys }: InventoryFixture): Promise<void> {
  for (let shard = 0; shard < keys.shards; shard += 1)
    expect(await connection.client.get(keys.admitted(shard))).toBe(connection.runId());
}

const untilAdmitted = () => eventually(() => expectAdmitted(fixture));

/** As if the server had never been checked; the service looks every second. */
async function checkAgain(): Promise<void> {
  await fixture.connection.client.del(fixture.keys.admitted(0));
  await untilAdmitted();
}

describe('admission', () => {
  it('a kill -9 of the server costs nothing but a moment', async () => {
    const times: { afterKillMs: number; afterUpMs: number }[] = [];
    const { supervisor } = own.servers;
    for (let round = 0; round < 3; round += 1) {
      const order = await placeOrder(fixture, saleId, productId);
      let upAt = 0;
      supervisor.once('up', () => (upAt = performance.now()));
      const killedAt = performance.now();
      supervisor.kill('redis-ledger');
      await eventually(async () => {
        const holds = await fixture.ledger.readHolds(saleId, [order.id]);
        expect(holds).toMatchObject({ records: [{ orderId: order.id }] });
      });
      const answeredAt = performance.now();
      times.push({
        afterKillMs: Math.round(answeredAt - killedAt),
        afterUpMs: Math.round(answeredAt - upAt),
      });
    }
    if (process.env.SHOW_FIGURES) process.stderr.write(`${JSON.stringify(times)}\n`);
    expect(errorsOf(saleId)).toEqual([]);
    expect(await read(productId)).toMatchObject({ stock: 9, reserved: 3, available: 6 });
  });

  it('a lost key is written back for the rest of its 24 hours, a present one stays', async () => {
    const [lost, other, cancelled] = [
      await placeOrder(fixture, saleId, productId),
      await placeOrder(fixture, saleId, productId),
      await placeOrder(fixture, saleId, productId),
    ];
    const { client } = fixture.connection;
    // It owns nothing any more; its answer stays the same all the same.
    await fixture.mongo
      .db()
      .collection('orders')
      .updateOne(
        { _id: new driver.ObjectId(cancelled.id) },
        { $set: { inventoryStatus: 'RELEASED' }, $unset: { units: '' } },
      );
    await fixture.ledger.release(saleId, [nameUnits(cancelled)]);
    for (const order of [lost, cancelled]) await client.del(idemKey(order));
    await client.set(idemKey(other), 'somebody else');
    await checkAgain();
    for (const order of [lost, cancelled])
      expect(await client.get(idemKey(order))).toBe(`${order.id} ${order.requestFingerprint}`);
    const ttl = await client.ttl(idemKey(lost));
    expect(ttl).toBeLessThanOrEqual(86_400);
    expect(ttl).toBeGreaterThan(86_000);
    expect(await client.get(idemKey(other))).toBe('somebody else');
    expect(errorsOf(saleId)).toEqual([]);
  });

  it('a missing record fences its sale and no other; what holds nothing is not missed', async () => {
    const orders = fixture.mongo.db().collection('orders');
    const { client } = fixture.connection;
    const neighbourSale = objectId();
    const neighbour = await post('N', neighbourSale).expect(201);
    const [cancelled, sold] = [
      await placeOrder(fixture, neighbourSale, String(neighbour.body.product._id)),
      await placeOrder(fixture, neighbourSale, String(neighbour.body.product._id)),
    ];
    const idOf = ({ id }: Order) => ({ _id: new driver.ObjectId(id) });
    await orders.updateOne(idOf(cancelled), {
      $set: { inventoryStatus: 'RELEASED' },
      $unset: { units: '' },
    });
    await orders.updateOne(idOf(sold), { $set: { inventoryStatus: 'SOLD' } });
    await fixture.ledger.ship(neighbourSale, [nameUnits(sold)]);
    const missing = await placeOrder(fixture, saleId, productId);
    for (const order of [cancelled, missing])
      await client.hdel(fixture.keys.sale(order.saleId).holds, order.id);
    await checkAgain();
    expect(await fixture.ledger.snapshot(saleId)).toMatchObject({ fenced: true });
    expect(await fixture.ledger.snapshot(neighbourSale)).toMatchObject({ fenced: false });
    expect(errorsOf(saleId)).toMatchObject([{ missing: 1 }]);
    expect((await post('SECOND', saleId).expect(503)).body.code).toBe('sale-fenced');
    await post('SECOND', neighbourSale).expect(201);
  });

  it('a unit that was sold and may be sold again fences its sale', async () => {
    const orders = fixture.mongo.db().collection('orders');
    const { client } = fixture.connection;
    const given = await Promise.all(
      ['returned', 'never issued'].map(async (how) => {
        const merchantId = objectId();
        const { body } = await post('S', merchantId).expect(201);
        const product = String(body.product._id);
        const sold = await placeOrder(fixture, merchantId, product);
        const _id = new driver.ObjectId(sold.id);
        await orders.updateOne({ _id }, { $set: { inventoryStatus: 'SOLD' } });
        await fixture.ledger.ship(merchantId, [nameUnits(sold)]);
        return { how, saleId: merchantId, product };
      }),
    );
    await checkAgain();
    for (const one of given) expect(errorsOf(one.saleId)).toEqual([]);
    for (const { how, saleId: sale, product } of given) {
      if (how === 'returned') await client.zadd(fixture.keys.free(sale, product), 1, '1');
      else await client.hset(fixture.keys.sale(sale).stock, `${product}:next`, 1);
    }
    await checkAgain();
    for (const one of given) {
      expect(errorsOf(one.saleId)).toMatchObject([{ missing: 1 }]);
      expect(await fixture.ledger.snapshot(one.saleId)).toMatchObject({ fenced: true });
    }
  });

  it('settings that are older than those that were put fence their sale', async () => {
    const { client } = fixture.connection;
    const { sale } = fixture.keys.sale(saleId);
    const before = await client.dumpBuffer(sale);
    await post('SECOND', saleId).expect(201);
    await checkAgain();
    expect(await fixture.ledger.snapshot(saleId)).toMatchObject({ fenced: false });
    if (before) await client.restore(sale, 0, before, 'REPLACE');
    await checkAgain();
    expect(await fixture.ledger.snapshot(saleId)).toMatchObject({ fenced: true });
    expect(errorsOf(saleId)).toHaveLength(1);
  });

  it('is refused with another number of shards', async () => {
    const { client } = fixture.connection;
    await client.set(fixture.keys.shardCount, '16');
    const namespace = fixture.keys.shardCount.split(':')[0];
    await expect(startInventory(own.env, namespace)).rejects.toThrow(/LEDGER_SHARDS is 4/);
    await client.set(fixture.keys.shardCount, '4');
  });
});

describe('without the ledger', () => {
  it('a product is kept and finished later, and reads go on without stock', async () => {
    const merchantId = objectId();
    const { supervisor } = own.servers;
    await supervisor.stopPart('redis-ledger');
    const refused = await post('AWAY', merchantId).expect(503);
    expect(refused.body.code).toBe('dependency-unavailable');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(await read(productId)).toMatchObject({ stock: null, reserved: null, available: null });
    const again = await post('AWAY', merchantId).expect(409);
    const made = String(again.body.productId);
    expect(again.body.code).toBe('sku-taken');
    await supervisor.start(['redis-ledger']);
    await eventually(async () =>
      expect(await read(made)).toMatchObject({ stock: 9, reserved: 0, available: 9 }),
    );
    await placeOrder(fixture, merchantId, made, 9);
  });
});

describe('with admission switched off', () => {
  it('nothing is admitted, and that is noticed', async () => {
    const settings = { ...own.env, QUICKSALE_REPAIRS_OFF: 'admission,rebuild' };
    const crippled = await startInventory(settings);
    try {
      const { app } = crippled.service;
      expect((await request(app).get('/api/inventory/products')).status).toBe(200);
      await expect(eventually(() => expectAdmitted(crippled), 3_000)).rejects.toThrow();
    } finally {
      await crippled.stop();
    }
  });
});

describe('a server that lost everything', () => {
  it('is admitted, and every sale that it does not know is refused and told', async () => {
    const { supervisor } = own.servers;
    await placeOrder(fixture, saleId, productId);
    await supervisor.stopPart('redis-ledger');
    await rm(join(own.folder, 'data', 'redis-ledger', 'appendonlydir'), { recursive: true });
    await supervisor.start(['redis-ledger']);
    await untilAdmitted();
    expect(errorsOf(saleId)).toMatchObject([
      { msg: expect.stringContaining('does not know a sale') },
    ]);
    expect(await read(productId)).toMatchObject({ stock: null });
    expect((await post('SECOND', saleId).expect(503)).body.code).toBe('sale-fenced');
    // Nobody is there to record what is left, so it stays closed.
    expect(await fixture.ledger.saleStates([saleId])).not.toEqual(['live']);
    // Nothing was lost of a merchant who had nothing.
    await post('FIRST', objectId()).expect(201);
  });
});
