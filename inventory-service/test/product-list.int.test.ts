import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mongo as driver } from 'mongoose';
import request from 'supertest';
import { eventually } from '@quicksale/shared/testing';
import {
  objectId,
  placeOrder,
  startInventory,
  tokenFor,
  type InventoryFixture,
} from './inventory-fixture.ts';

// A catalogue of some size takes its time.
jest.setTimeout(60_000);

let fixture: InventoryFixture;
beforeAll(async () => {
  fixture = await startInventory();
}, 60_000);
afterAll(() => fixture.stop());

const path = '/api/inventory/products';
const list = (query = '') => request(fixture.service.app).get(`${path}${query}`);
interface Page {
  data: { _id: string; name: string; available: number | null }[];
  page: { next: string | null };
}
const pageOf = async (query: string) => (await list(query).expect(200)).body as Page;
const namesOf = async (query: string) => (await pageOf(query)).data.map(({ name }) => name);

const merchantId = objectId();
const token = tokenFor('MERCHANT', merchantId);
async function givenProduct(name: string, price: number, stock: number, category: string) {
  const made = await request(fixture.service.app)
    .post(path)
    .set('Authorization', `Bearer ${token}`)
    .send({ name, description: 'd', price, stock, sku: name.replaceAll(' ', '-'), category })
    .expect(201);
  return String(made.body.product._id);
}

describe('the list of products', () => {
  const made: Record<string, string> = {};
  beforeAll(async () => {
    made.lamp = await givenProduct('Brass lamp', 30, 2, 'lights');
    made.torch = await givenProduct('Torch', 9.99, 0, 'lights');
    made.kettle = await givenProduct('Kettle', 55, 5, 'kitchen');
    // Seen when the listing is looked at again.
    await eventually(async () => expect((await pageOf('')).data).toHaveLength(3));
  });

  it.each([
    ['', ['Kettle', 'Torch', 'Brass lamp']],
    ['?sort=price', ['Torch', 'Brass lamp', 'Kettle']],
    ['?sort=-price', ['Kettle', 'Brass lamp', 'Torch']],
    ['?sort=name', ['Brass lamp', 'Kettle', 'Torch']],
    ['?category=lights&sort=name', ['Brass lamp', 'Torch']],
    ['?minPrice=9.99&maxPrice=30&sort=price', ['Torch', 'Brass lamp']],
    ['?minPrice=10', ['Kettle', 'Brass lamp']],
    ['?search=LAM', ['Brass lamp']],
    ['?search=tor%20light', ['Torch']],
    ['?inStock=true', ['Kettle', 'Brass lamp']],
    ['?inStock=false', ['Torch']],
  ])('%s', async (query, names) => {
    expect(await namesOf(query)).toEqual(names);
  });

  it('shows a product as GET does, with its stock at this moment', async () => {
    await placeOrder(fixture, merchantId, String(made.lamp), 2);
    const { data } = await pageOf('?search=lamp');
    expect(data).toEqual([(await request(fixture.service.app).get(`${path}/${made.lamp}`)).body]);
    expect(data[0]).toMatchObject({ stock: 2, available: 0 });
    expect(await namesOf('?inStock=true')).toEqual(['Kettle']);
  });

  it('comes in pages that keep their filters', async () => {
    const first = await list('?sort=price&limit=2&minPrice=9.5').expect(200);
    const link = /^<(.+)>; rel="next"$/.exec(String(first.headers.link))?.[1] ?? '';
    expect(link).toContain('sort=price&limit=2');
    expect(link).toContain('minPrice=9.5');
    expect(link).toContain(`cursor=${first.body.page.next}`);
    const second = await request(fixture.service.app).get(link).expect(200);
    expect(second.body).toMatchObject({ data: [{ name: 'Kettle' }], page: { next: null } });
    expect(second.headers.link).toBeUndefined();
    const other = await list(`?sort=name&cursor=${first.body.page.next}`).expect(400);
    expect(other.body.errors).toMatchObject([{ pointer: '/query/cursor' }]);
  });

  it.each([
    ['?limit=0', '/query/limit'],
    ['?limit=101', '/query/limit'],
    ['?limit=ten', '/query/limit'],
    ['?sort=stock', '/query/sort'],
    ['?sort=price&sort=name', '/query/sort'],
    ['?inStock=1', '/query/inStock'],
    ['?minPrice=-1', '/query/minPrice'],
    ['?minPrice=1e3', '/query/minPrice'],
    ['?minPrice=0.001', '/query/minPrice'],
    ['?minPrice=', '/query/minPrice'],
    ['?minPrice=2&maxPrice=1', '/query/maxPrice'],
    ['?minPrice[$gt]=1', '/query/minPrice[$gt]'],
    ['?search=', '/query/search'],
    ['?search=.*', '/query/search'],
    [`?search=${'a'.repeat(101)}`, '/query/search'],
    ['?search=a+b+c+d+e+f+g+h+i', '/query/search'],
    ['?category=', '/query/category'],
    ['?cursor=abc', '/query/cursor'],
    ['?archived=true', '/query/archived'],
  ])('%s is refused, naming the field', async (query, pointer) => {
    const answer = await list(query).expect(400);
    expect(answer.body.code).toBe('validation-failed');
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer }));
  });

  it('loses what is archived at once and sees a new price soon', async () => {
    const change = (id: string | undefined) =>
      request(fixture.service.app)
        .patch(`${path}/${id}`)
        .set({ Authorization: `Bearer ${token}`, 'If-Match': '*' })
        .send({ price: 1 });
    await change(made.kettle).expect(200);
    await eventually(async () => expect((await namesOf('?sort=price'))[0]).toBe('Kettle'));
    await request(fixture.service.app)
      .delete(`${path}/${made.torch}`)
      .set('Authorization', `Bearer ${token}`)
      .expect(200);
    expect(await namesOf('?sort=name')).toEqual(['Brass lamp', 'Kettle']);
  });
});

describe('a catalogue of 10,000', () => {
  const size = 10_000;
  let large: InventoryFixture;
  beforeAll(async () => {
    large = await startInventory();
    const at = new Date(Date.now() - 3_600_000);
    const products = large.mongo.db().collection('products');
    const documents = Array.from({ length: size }, (_, index) => ({
      _id: new driver.ObjectId(),
      merchantId,
      saleId: merchantId,
      saleChangedAt: at,
      sku: `BULK-${index}`,
      name: `Bulk item ${index % 977}`,
      description: 'Of many.'.repeat(20),
      category: 'bulk',
      price: (index * 7919) % 50_000,
      currency: 'USD',
      archived: false,
      initialStock: 0,
      version: 1,
      createdAt: at,
      updatedAt: at,
    }));
    for (let from = 0; from < size; from += 1_000)
      await products.insertMany(documents.slice(from, from + 1_000));
  }, 60_000);
  afterAll(() => large.stop());

  const read = async (query: string) => {
    const startedAt = performance.now();
    const { body } = await request(large.service.app).get(`${path}${query}`).expect(200);
    return { page: body as Page, tookMs: performance.now() - startedAt };
  };

  it('is paged through whole, each product once', async () => {
    const first = await read('');
    process.stdout.write(`10,000 products: first list ${first.tookMs.toFixed(0)} ms\n`);
    const seen = new Set<string>();
    let pages = 0;
    for (let next: string | null = ''; next !== null; pages += 1) {
      const { page } = await read(`?sort=price&limit=100${next && `&cursor=${next}`}`);
      for (const { _id } of page.data) seen.add(_id);
      next = page.page.next;
    }
    expect([seen.size, pages]).toEqual([size, 100]);

    for (const query of ['?limit=20', '?search=item+9&sort=-price', '?inStock=true&sort=name']) {
      const tookMs: number[] = [];
      for (let index = 0; index < 100; index += 1) tookMs.push((await read(query)).tookMs);
      tookMs.sort((a, b) => a - b);
      const [p50, p95] = [tookMs[50], tookMs[95]].map((ms) => ms?.toFixed(1));
      process.stdout.write(`10,000 products, ${query}: p50 ${p50} ms, p95 ${p95} ms\n`);
    }
  });
});
