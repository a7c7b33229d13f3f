import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { eventually } from '@quicksale/shared/testing';
import { followAllMovements } from '../src/stock/follow-movements.ts';
import { createMongoSaleStore } from '../src/sales/mongo-sale-store.ts';
import { createMongoMovementStore } from '../src/stock/mongo-movement-store.ts';
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

let fixture: InventoryFixture;
beforeAll(async () => {
  fixture = await startInventory();
}, 60_000);
afterAll(() => fixture.stop());

const path = '/api/inventory/products';

async function givenProduct(on = fixture, stock = 10) {
  const merchantId = objectId();
  const token = tokenFor('MERCHANT', merchantId);
  const made = await request(on.service.app)
    .post(path)
    .set('Authorization', `Bearer ${token}`)
    .send({ name: 'n', description: 'd', price: 1, stock, sku: 'S', category: 'c' })
    .expect(201);
  return { merchantId, token, id: String(made.body.product._id) };
}

const restock = (
  { id, token }: { id: string; token: string },
  body: object = {},
  { key, on = fixture }: { key?: string; on?: InventoryFixture } = {},
) =>
  request(on.service.app)
    .post(`${path}/${id}/restock`)
    .set('Authorization', `Bearer ${token}`)
    .set(key === undefined ? {} : { 'Idempotency-Key': key })
    .send({ units: 5, reason: 'restock', ...body });
const list = ({ id, token }: { id: string; token: string }, query = '') =>
  request(fixture.service.app)
    .get(`${path}/${id}/movements${query}`)
    .set('Authorization', `Bearer ${token}`);
const read = (id: string, on = fixture) => request(on.service.app).get(`${path}/${id}`);
const movementsOf = (productId: string, on = fixture) =>
  on.mongo.db().collection('stock-movements').find({ productId }).toArray();

describe('restocking', () => {
  it('adds units that can be sold at once, and answers as GET shows the product', async () => {
    const product = await givenProduct();
    const answer = await restock(product, { units: 7, reason: 'found' }).expect(200);
    expect(answer.body).toMatchObject({ stock: 17, available: 17, reserved: 0, version: 2 });
    const seen = await read(product.id).expect(200);
    expect(seen.body).toEqual(answer.body);
    expect(answer.headers.etag).toBe('"2-17-17"');
    expect(seen.headers.etag).toBe(answer.headers.etag);
    await placeOrder(fixture, product.merchantId, product.id, 17);
  });

  it('also a product that was made without stock', async () => {
    const product = await givenProduct(fixture, 0);
    expect((await restock(product).expect(200)).body).toMatchObject({ stock: 5, version: 2 });
    expect(await movementsOf(product.id)).toMatchObject([{ firstUnit: 1, lastUnit: 5 }]);
  });

  it('by many at once gives each number to one movement', async () => {
    const product = await givenProduct();
    const sizes = Array.from({ length: 12 }, (_, index) => index + 1);
    const answers = await Promise.all(sizes.map((units) => restock(product, { units })));
    expect(answers.map(({ status }) => status)).toEqual(sizes.map(() => 200));
    const found = await movementsOf(product.id);
    const sorted = found
      .map((m) => [Number(m.firstUnit), Number(m.lastUnit)] as const)
      .sort(([a], [b]) => a - b);
    let last = 0;
    for (const [firstUnit, lastUnit] of sorted) {
      expect(firstUnit).toBe(last + 1);
      last = lastUnit;
    }
    expect(last).toBe(10 + 78);
    expect((await read(product.id)).body).toMatchObject({ stock: 88, available: 88, version: 13 });
  });

  it('with one key adds once, whether after it or at the same time', async () => {
    const product = await givenProduct();
    const key = 'delivery 7';
    const twins = await Promise.all(
      Array.from({ length: 6 }, () => restock(product, {}, { key: `"${key}"` })),
    );
    expect(twins.map(({ status }) => status)).toEqual(twins.map(() => 200));
    const later = await restock(product, {}, { key }).expect(200);
    expect(later.headers['idempotent-replayed']).toBe('true');
    expect(later.body).toMatchObject({ stock: 15 });
    expect(await movementsOf(product.id)).toHaveLength(2);
    for (const body of [{ units: 6 }, { reason: 'returned' }])
      expect((await restock(product, body, { key }).expect(422)).body.code).toBe(
        'idempotency-key-reused',
      );
    // The key is its user's: another merchant may use it, too.
    const other = await givenProduct();
    expect((await restock(other, {}, { key }).expect(200)).body).toMatchObject({ stock: 15 });
  });

  it.each([
    ['no units', { units: 0 }, '/units'],
    ['negative units', { units: -5 }, '/units'],
    ['half a unit', { units: 1.5 }, '/units'],
    ['a text', { units: '5' }, '/units'],
    ['too many', { units: 1_000_001 }, '/units'],
    ['a reason of the system', { reason: 'initial' }, '/reason'],
    ['an operator', { reason: { $ne: '' } }, '/reason'],
    ['a number of its own', { firstUnit: 1 }, '/firstUnit'],
  ])('%s is refused, naming the field', async (_, body, pointer) => {
    const product = await givenProduct();
    const answer = await restock(product, body).expect(400);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer }));
    expect((await read(product.id)).body).toMatchObject({ stock: 10, version: 1 });
  });

  it('refuses a malformed key instead of ignoring it', async () => {
    const product = await givenProduct();
    for (const key of ['', 'k'.repeat(256)])
      expect((await restock(product, {}, { key }).expect(400)).body.code).toBe(
        'idempotency-key-invalid',
      );
  });

  it("is the owner's and an admin's; for others the product does not exist", async () => {
    const product = await givenProduct();
    const { id } = product;
    await restock({ id, token: 'nonsense' }).expect(401);
    for (const role of ['CUSTOMER', 'SUPPORT'] as const) {
      await restock({ id, token: tokenFor(role) }).expect(403);
      await list({ id, token: tokenFor(role) }).expect(403);
    }
    for (const call of [restock, list]) {
      await call({ id, token: tokenFor('MERCHANT') }).expect(404);
      await call({ id: objectId(), token: product.token }).expect(404);
      await call({ id: 'x', token: product.token }).expect(400);
      await call({ id, token: tokenFor('ADMIN') }).expect(200);
    }
  });
});

describe('the movements of a product', () => {
  it('are listed newest first, in pages', async () => {
    const product = await givenProduct();
    for (const units of [1, 2, 3, 4]) await restock(product, { units }).expect(200);
    const pages: number[][] = [];
    let next = '?limit=2';
    while (next) {
      const { body, headers } = await list(product, next).expect(200);
      pages.push((body.data as { units: number }[]).map(({ units }) => units));
      if (body.page.next) expect(headers.link).toContain(`limit=2&cursor=${body.page.next}`);
      else expect(headers.link).toBeUndefined();
      next = body.page.next ? `?limit=2&cursor=${body.page.next}` : '';
    }
    expect(pages).toEqual([[4, 3], [2, 1], [10]]);
    const { body } = await list(product, '?limit=1').expect(200);
    expect(body.data).toEqual([
      {
        _id: expect.stringMatching(/^restock:/),
        saleId: product.merchantId,
        productId: product.id,
        reason: 'restock',
        units: 4,
        firstUnit: 17,
        lastUnit: 20,
        by: product.merchantId,
        at: expect.any(String),
      },
    ]);
  });

  it.each([
    ['?limit=0', '/query/limit'],
    ['?limit=101', '/query/limit'],
    ['?cursor=x', '/query/cursor'],
    ['?cursor[$gt]=x', '/query/cursor[$gt]'],
    ['?limit=1&limit=2', '/query/limit'],
    ['?reason=found', '/query/reason'],
  ])('%s is refused', async (query, pointer) => {
    const answer = await list(await givenProduct(), query).expect(400);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer }));
  });
});

describe('a movement that the ledger does not have', () => {
  const stores = () => ({
    sales: createMongoSaleStore(fixture.mongo),
    movements: createMongoMovementStore(fixture.mongo),
  });

  it('after a crash between the two is raised by the runner', async () => {
    const product = await givenProduct();
    await stores().movements.append({
      id: `restock:${objectId()}`,
      saleId: product.merchantId,
      productId: product.id,
      units: 4,
      reason: 'restock',
      by: product.merchantId,
      at: new Date(),
    });
    await eventually(async () => {
      expect((await read(product.id)).body).toMatchObject({ stock: 14, available: 14 });
    });
  });

  it('however old it is, when the ledger has forgotten it', async () => {
    const product = await givenProduct();
    await restock(product).expect(200);
    await fixture.mongo
      .db()
      .collection('stock-movements')
      .updateMany({ productId: product.id }, { $set: { at: new Date(0) } });
    const { stock } = fixture.keys.sale(product.merchantId);
    const forget = { [`${product.id}:last`]: 10, [`${product.id}:available`]: 10 };
    await fixture.connection.client.hset(stock, forget);
    await followAllMovements({
      ...stores(),
      ledger: fixture.ledger,
      timedSales: { wake: async () => undefined },
      clock: { now: () => Date.now() },
      log: { warn: () => undefined, debug: () => undefined } as never,
    });
    expect((await read(product.id)).body).toMatchObject({ stock: 15, available: 15 });
  });

  it('because it was away is answered as committed, adds once, and follows', async () => {
    const own = await startOwnLedger();
    const on = await startInventory(own.env);
    try {
      const product = await givenProduct(on);
      await own.servers.supervisor.stopPart('redis-ledger');
      const answer = await restock(product, {}, { key: 'k', on }).expect(200);
      expect(answer.body).toMatchObject({ stock: null, available: null, version: 2 });
      await restock(product, {}, { key: 'k', on }).expect(200);
      await own.servers.supervisor.start(['redis-ledger']);
      await eventually(async () => {
        expect((await read(product.id, on)).body).toMatchObject({ stock: 15, available: 15 });
      });
      expect(await movementsOf(product.id, on)).toHaveLength(2);
    } finally {
      await on.stop();
      await own.stop();
    }
  });
});
