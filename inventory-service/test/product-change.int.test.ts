import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { createMongoCatalogue } from '@quicksale/shared/catalogue';
import { eventually } from '@quicksale/shared/testing';
import { createMongoProductStore } from '../src/products/mongo-product-store.ts';
import {
  objectId,
  placeOrder,
  startInventory,
  tokenFor,
  type InventoryFixture,
} from './inventory-fixture.ts';

// The runner takes its time.
jest.setTimeout(30_000);

let fixture: InventoryFixture;
beforeAll(async () => {
  fixture = await startInventory();
}, 60_000);
afterAll(() => fixture.stop());

const path = '/api/inventory/products';

interface Given {
  id: string;
  token: string;
}

async function givenProduct(): Promise<Given & { merchantId: string }> {
  const merchantId = objectId();
  const token = tokenFor('MERCHANT', merchantId);
  const made = await request(fixture.service.app)
    .post(path)
    .set('Authorization', `Bearer ${token}`)
    .send({
      name: 'Lamp',
      description: 'd',
      price: 10,
      originalPrice: 20,
      stock: 10,
      sku: 'S',
      category: 'c',
    })
    .expect(201);
  return { merchantId, token, id: String(made.body.product._id) };
}

const headers = (token: string, ifMatch?: string) => ({
  Authorization: `Bearer ${token}`,
  ...(ifMatch !== undefined && { 'If-Match': ifMatch }),
});
const patch = ({ id, token }: Given, body: object, ifMatch?: string) =>
  request(fixture.service.app).patch(`${path}/${id}`).set(headers(token, ifMatch)).send(body);
const archive = ({ id, token }: Given, ifMatch?: string) =>
  request(fixture.service.app).delete(`${path}/${id}`).set(headers(token, ifMatch));
const read = (id: string) => request(fixture.service.app).get(`${path}/${id}`);
const priceOf = async ({ id, merchantId }: { id: string; merchantId: string }) =>
  (await placeOrder(fixture, merchantId, id)).items[0]?.unitPrice;

describe('changing a product', () => {
  it('answers with what GET then shows; a new price is the one that buyers pay', async () => {
    const product = await givenProduct();
    const { etag } = (await read(product.id)).headers;
    const change = { name: 'Lantern', price: 9.5, originalPrice: null, category: 'Garden' };
    const changed = await patch(product, change, etag).expect(200);
    const { originalPrice, ...rest } = change;
    expect(changed.body).toMatchObject({ ...rest, description: 'd', version: 2, stock: 10 });
    expect(changed.body).not.toHaveProperty('originalPrice');
    expect(originalPrice).toBeNull();
    const seen = await read(product.id);
    expect(seen.body).toEqual(changed.body);
    expect(seen.headers.etag).toBe(changed.headers.etag);
    expect(await priceOf(product)).toBe(950);
  });

  it('needs the version that was read', async () => {
    const product = await givenProduct();
    const missing = await patch(product, { name: 'N' }).expect(428);
    expect(missing.body.code).toBe('precondition-required');
    await patch(product, { name: 'N' }, '"1"').expect(200);
    const late = await patch(product, { name: 'M' }, '"1-10-10"').expect(412);
    expect(late.body).toMatchObject({ code: 'version-conflict', version: 2 });
    await patch(product, { name: 'M' }, 'W/"2"').expect(412);
    await patch(product, { name: 'M' }, '*').expect(200);
  });

  it('an order is no change: what was read before it may be changed', async () => {
    const product = await givenProduct();
    const { etag } = (await read(product.id)).headers;
    await placeOrder(fixture, product.merchantId, product.id);
    await patch(product, { name: 'N' }, etag).expect(200);
  });

  it('a restock is one: of a change and what was read before it, one fails', async () => {
    const product = await givenProduct();
    await request(fixture.service.app)
      .post(`${path}/${product.id}/restock`)
      .set(headers(product.token))
      .send({ units: 1, reason: 'found' })
      .expect(200);
    await patch(product, { name: 'N' }, '"1"').expect(412);
  });

  it('of changes that race for one version one wins, and its price is the one sold at', async () => {
    const product = await givenProduct();
    const prices = Array.from({ length: 8 }, (_, index) => index + 1);
    const answers = await Promise.all(prices.map((price) => patch(product, { price }, '"1"')));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
    const { body } = await read(product.id);
    expect(body.version).toBe(2);
    expect(await priceOf(product)).toBe(Number(body.price) * 100);
  });

  it('a price that a crash kept from the ledger is brought there by the runner', async () => {
    const product = await givenProduct();
    const products = createMongoProductStore(fixture.mongo);
    const changed = await products.change(
      { id: product.id, version: 1 },
      { price: 333, pendingSince: new Date(Date.now() - 60_000) },
      new Date(),
    );
    expect(changed).toMatchObject({ price: 333, version: 2 });
    await eventually(async () =>
      expect(await products.findById(product.id)).not.toHaveProperty('pendingSince'),
    );
    expect(await priceOf(product)).toBe(333);
  });

  it('a mark that is newer than what was brought to the ledger stays', async () => {
    const product = await givenProduct();
    const products = createMongoProductStore(fixture.mongo);
    const pendingSince = new Date(Date.now() + 60_000);
    await products.change({ id: product.id, version: 1 }, { price: 1, pendingSince }, new Date());
    await products.markFinished({ id: product.id, version: 1 });
    expect(await products.findById(product.id)).toHaveProperty('pendingSince', pendingSince);
    await products.markFinished({ id: product.id, version: 2 });
    expect(await products.findById(product.id)).not.toHaveProperty('pendingSince');
  });

  it.each([
    ['nothing', {}, ''],
    ['a SKU', { sku: 'T' }, '/sku'],
    ['an owner', { merchantId: objectId() }, '/merchantId'],
    ['stock', { stock: 99 }, '/stock'],
    ['a version', { version: 7 }, '/version'],
    ['an archive', { archived: true }, '/archived'],
    ['no price', { price: null }, '/price'],
    ['a third decimal', { price: 1.001 }, '/price'],
    ['an empty name', { name: ' ' }, '/name'],
    ['an operator', { name: { $set: 1 } }, '/name'],
    ['a control character', { description: 'a\u0000' }, '/description'],
  ])('%s is refused, naming the field', async (_, body, pointer) => {
    const product = await givenProduct();
    const answer = await patch(product, body, '"1"').expect(400);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer }));
    expect((await read(product.id)).body.version).toBe(1);
  });

  it("is the owner's and an admin's; for others the product does not exist", async () => {
    const product = await givenProduct();
    const { id } = product;
    for (const call of [(given: Given) => patch(given, { name: 'N' }, '*'), archive]) {
      await call({ id, token: 'nonsense' }).expect(401);
      for (const role of ['CUSTOMER', 'SUPPORT'] as const)
        await call({ id, token: tokenFor(role) }).expect(403);
      await call({ id, token: tokenFor('MERCHANT') }).expect(404);
      await call({ id: objectId(), token: product.token }).expect(404);
    }
    await patch({ id, token: tokenFor('ADMIN') }, { name: 'N' }, '"1"').expect(200);
    await archive({ id, token: tokenFor('ADMIN') }).expect(200);
  });
});

describe('archiving a product', () => {
  it('takes it away from buyers and from changes; a repeat is harmless', async () => {
    const product = await givenProduct();
    await archive(product, '"7"').expect(412);
    const done = await archive(product, '"1"').expect(200);
    expect(done.body).toMatchObject({ archived: true, version: 2 });
    for (const ifMatch of [undefined, '"1"'])
      expect((await archive(product, ifMatch).expect(200)).body.version).toBe(2);
    await read(product.id).expect(404);
    await patch(product, { name: 'N' }, '*').expect(404);
    const restock = request(fixture.service.app).post(`${path}/${product.id}/restock`);
    await restock.set(headers(product.token)).send({ units: 1, reason: 'found' }).expect(404);
    await request(fixture.service.app)
      .get(`${path}/${product.id}/movements`)
      .set(headers(product.token))
      .expect(200);
    const seen = await createMongoCatalogue(fixture.mongo).find([product.id]);
    expect(seen.get(product.id)).toMatchObject({ archived: true });
  });
});

describe('reading with If-None-Match', () => {
  it('is 304 until the product or its stock changes', async () => {
    const product = await givenProduct();
    const again = (etag: string) => read(product.id).set('If-None-Match', etag);
    const first = await read(product.id).expect(200);
    const same = await again(String(first.headers.etag)).expect(304);
    expect(same.headers.etag).toBe(first.headers.etag);
    await placeOrder(fixture, product.merchantId, product.id);
    const sold = await again(String(first.headers.etag)).expect(200);
    expect(sold.body).toMatchObject({ version: 1, available: 9 });
    await patch(product, { name: 'N' }, '*').expect(200);
    await again(String(sold.headers.etag)).expect(200);
  });
});
