import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { mongo as driver } from 'mongoose';
import { createMongoCatalogue } from '@quicksale/shared/catalogue';
import { eventually } from '@quicksale/shared/testing';
import { createMongoProductStore } from '../src/products/mongo-product-store.ts';
import { finishingSteps } from '../src/products/finish-product.ts';
import { draftProduct } from '../src/products/product.ts';
import { createMongoSaleStore } from '../src/sales/mongo-sale-store.ts';
import { createMongoMovementStore } from '../src/stock/mongo-movement-store.ts';
import {
  objectId,
  placeOrder,
  startInventory,
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
let skus = 0;
const body = (over: object = {}) => ({
  name: 'Lamp',
  description: 'A lamp.\nWarm light.',
  price: 99.99,
  originalPrice: 199.5,
  stock: 10,
  sku: `LAMP-${(skus += 1)}`,
  category: 'Home & Garden',
  ...over,
});
const post = (given: object, token = tokenFor('MERCHANT')) =>
  request(fixture.service.app).post(path).set('Authorization', `Bearer ${token}`).send(given);
const read = (id: string) => request(fixture.service.app).get(`${path}/${id}`);
const products = () => fixture.mongo.db().collection('products');

describe('creating a product', () => {
  it('answers with the product, and its stock can be sold at once', async () => {
    const merchantId = objectId();
    const given = body();
    const made = await post(given, tokenFor('MERCHANT', merchantId)).expect(201);
    expect(made.headers).toMatchObject({
      location: `${path}/${made.body.product._id}`,
      etag: '"1-10-10"',
    });
    expect(made.body).toEqual({
      message: 'Product created successfully',
      product: {
        ...given,
        _id: expect.stringMatching(/^[0-9a-f]{24}$/),
        merchantId,
        saleId: merchantId,
        currency: 'USD',
        stock: 10,
        reserved: 0,
        available: 10,
        archived: false,
        version: 1,
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
      },
    });
    const { product } = made.body;
    const seen = await read(product._id).expect(200);
    expect(seen.body).toEqual(product);
    expect(seen.headers.etag).toBe('"1-10-10"');

    await placeOrder(fixture, merchantId, product._id, 3);
    expect((await read(product._id)).body).toMatchObject({ stock: 10, reserved: 3, available: 7 });
    const catalogue = createMongoCatalogue(fixture.mongo);
    expect((await catalogue.find([product._id])).get(product._id)).toEqual({
      id: product._id,
      saleId: merchantId,
      saleChangedAt: new Date(product.createdAt),
      merchantId,
      sku: given.sku,
      name: 'Lamp',
      currency: 'USD',
      archived: false,
    });
    const movements = fixture.mongo.db().collection('stock-movements');
    expect(await movements.find({ productId: product._id }).toArray()).toMatchObject([
      { _id: `${product._id}:initial`, firstUnit: 1, lastUnit: 10, reason: 'initial' },
    ]);
    const _id = new driver.ObjectId(product._id as string);
    expect(await products().findOne({ _id })).not.toHaveProperty('pendingSince');
  });

  it('without stock makes the line and no movement', async () => {
    const made = await post(body({ stock: 0, description: '', originalPrice: undefined }));
    expect(made.status).toBe(201);
    expect(made.body.product).toMatchObject({ stock: 0, available: 0, description: '' });
    expect(made.body.product).not.toHaveProperty('originalPrice');
    const movements = fixture.mongo.db().collection('stock-movements');
    expect(await movements.countDocuments({ productId: made.body.product._id })).toBe(0);
  });

  it('a merchant has a SKU once; another merchant may have it too', async () => {
    const token = tokenFor('MERCHANT');
    const given = body();
    const made = await post(given, token).expect(201);
    const again = await post(given, token).expect(409);
    expect(again.body).toMatchObject({ code: 'sku-taken', productId: made.body.product._id });
    await post(given).expect(201);
    await post(given, tokenFor('ADMIN')).expect(201);
  });

  it('of requests that race for one SKU one wins, and all products of a sale reach the ledger', async () => {
    const merchantId = objectId();
    const token = tokenFor('MERCHANT', merchantId);
    const shared = body();
    const answers = await Promise.all([
      ...Array.from({ length: 8 }, () => post(shared, token)),
      ...Array.from({ length: 8 }, () => post(body(), token)),
    ]);
    const made = answers
      .filter(({ status }) => status === 201)
      .map((a) => String(a.body.product._id));
    expect(answers.map(({ status }) => status).sort()).toEqual([
      ...Array<number>(9).fill(201),
      ...Array<number>(7).fill(409),
    ]);
    for (const id of made) await placeOrder(fixture, merchantId, id);
  });

  it.each([
    ['an operator', { name: { $gt: '' } }, '/name'],
    ['an operator as SKU', { sku: { $ne: null } }, '/sku'],
    ['a text as price', { price: '9.99' }, '/price'],
    ['a third decimal', { price: 9.999 }, '/price'],
    ['a negative price', { price: -1 }, '/price'],
    ['a huge price', { price: 1e21 }, '/price'],
    ['a negative stock', { stock: -1 }, '/stock'],
    ['half a unit', { stock: 1.5 }, '/stock'],
    ['too many units', { stock: 1_000_001 }, '/stock'],
    ['null', { stock: null }, '/stock'],
    ['a SKU with a brace', { sku: 'a{1}' }, '/sku'],
    ['a SKU with a line feed', { sku: 'abc\n' }, '/sku'],
    ['a SKU beyond ASCII', { sku: 'lämp' }, '/sku'],
    ['an empty name', { name: '   ' }, '/name'],
    ['a control character', { name: 'a\u0000b' }, '/name'],
    ['somebody else', { merchantId: objectId() }, '/merchantId'],
    ['a version', { version: 7 }, '/version'],
    ['units of its own', { available: 7, _id: objectId() }, '/available'],
  ])('%s is refused, naming the field', async (_, over, pointer) => {
    const answer = await post(body(over)).expect(400);
    expect(answer.body.code).toBe('validation-failed');
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer }));
  });

  it('__proto__ in a body is refused and pollutes nothing', async () => {
    const text = JSON.stringify(body()).replace('{', '{"__proto__":{"role":"ADMIN"},');
    await request(fixture.service.app)
      .post(path)
      .set('Authorization', `Bearer ${tokenFor('MERCHANT')}`)
      .type('application/json')
      .send(text)
      .expect(400);
    expect(({} as { role?: string }).role).toBeUndefined();
  });

  it('is for merchants and admins', async () => {
    await request(fixture.service.app).post(path).send(body()).expect(401);
    await post(body(), 'nonsense').expect(401);
    for (const role of ['CUSTOMER', 'SUPPORT'] as const)
      expect((await post(body(), tokenFor(role)).expect(403)).body.code).toBe('forbidden');
  });
});

describe('reading a product', () => {
  it('that does not exist is 404, a malformed id 400', async () => {
    expect((await read(objectId()).expect(404)).body.code).toBe('not-found');
    for (const id of ['x', '%7B%22$gt%22:%22%22%7D', '0'.repeat(25)]) await read(id).expect(400);
  });
});

describe('a creation that a crash cut short', () => {
  const steps = [...finishingSteps.keys(), finishingSteps.length];

  it.each(steps)('after %i steps is finished by the runner', async (done) => {
    const merchantId = objectId();
    const deps = {
      products: createMongoProductStore(fixture.mongo),
      sales: createMongoSaleStore(fixture.mongo),
      movements: createMongoMovementStore(fixture.mongo),
      ledger: fixture.ledger,
    };
    const product = draftProduct(
      {
        merchantId,
        sku: 'CUT',
        name: 'n',
        description: 'd',
        category: 'c',
        price: 500,
        currency: 'USD',
        stock: 4,
      },
      { id: objectId(), at: new Date(Date.now() - 60_000) },
    );
    expect(await deps.products.insert(product)).toBe('inserted');
    for (const step of finishingSteps.slice(0, done)) await step(deps, product);
    // The buyer's view of it: all of the stock, at the price, once.
    await eventually(async () => {
      expect((await read(product.id)).body).toMatchObject({ stock: 4, available: 4 });
      expect(await deps.products.findById(product.id)).not.toHaveProperty('pendingSince');
    });
    const order = await placeOrder(fixture, merchantId, product.id, 4);
    expect(order.items[0]?.unitPrice).toBe(500);
    // Each step again, as a second runner would: nothing changes.
    for (const step of finishingSteps) await step(deps, product);
    expect((await read(product.id)).body).toMatchObject({ stock: 4, available: 0 });
    expect(await deps.products.insert(product)).toBe('inserted');
  });
});
