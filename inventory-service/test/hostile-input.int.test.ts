import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { createMongoTimedSaleStore } from '../src/sales/mongo-timed-sale-store.ts';
import type { TimedSale } from '../src/sales/timed-sale.ts';
import { objectId, startInventory, tokenFor, type InventoryFixture } from './inventory-fixture.ts';

jest.setTimeout(40_000);

let fixture: InventoryFixture;
beforeAll(async () => {
  fixture = await startInventory();
}, 60_000);
afterAll(() => fixture.stop());

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
const merchantId = objectId();
const owner = tokenFor('MERCHANT', merchantId);
const call = (method: Method, path: string, token: string, body?: string | object) => {
  const test = request(fixture.service.app)
    [method](`/api${path}`)
    .set({ Authorization: `Bearer ${token}`, 'If-Match': '*' });
  return body === undefined ? test : test.type('application/json').send(body);
};

/** The fields that an answer names. */
const named = (reply: { body: { errors?: { pointer: string }[] } }) => [
  ...new Set((reply.body.errors ?? []).map(({ pointer }) => pointer)),
];
const products = '/inventory/products';
let skus = 0;
const newProduct = (over: object = {}) => ({
  name: 'Lamp',
  description: 'd',
  price: 10,
  stock: 10,
  sku: `S${(skus += 1)}`,
  category: 'c',
  ...over,
});
async function givenProduct(): Promise<string> {
  const { body } = await call('post', products, owner, newProduct()).expect(201);
  return String(body.product._id);
}
const newSale = (over: object = {}, item: object = {}) => ({
  name: 'Sale',
  opensAt: '2030-01-01T00:00:00Z',
  closesAt: '2030-01-02T00:00:00Z',
  items: [{ productId: '0'.repeat(24), price: 5, stock: 1, ...item }],
  ...over,
});

/** A sale that opens some day, as its document stands; its units do not matter here. */
async function givenSale(productId: string): Promise<TimedSale> {
  const at = new Date();
  const item = { productId, sku: 's', name: 'n', price: 500, stock: 1, allotted: 1, rounds: 1 };
  const sale: TimedSale = {
    id: objectId(),
    kind: 'timed',
    merchantId,
    name: 'Sale',
    currency: 'USD',
    opensAt: new Date(Date.now() + 3_600_000),
    closesAt: new Date(Date.now() + 7_200_000),
    perBuyerLimit: 0,
    holdMs: 0,
    durability: 'safe',
    items: [item],
    stage: 'ready',
    settingsVersion: 1,
    putVersion: 1,
    ledgerReady: true,
    revision: 1,
    createdAt: at,
    updatedAt: at,
  };
  await createMongoTimedSaleStore(fixture.mongo).insert(sale);
  return sale;
}

describe('a body that says more than it may', () => {
  const extras = [
    'role',
    'userId',
    'merchantId',
    'owner',
    'status',
    'state',
    'stage',
    'currency',
    'units',
    'available',
    'reserved',
    'saleId',
    'version',
    'settingsVersion',
    'archived',
    'ledgerReady',
    'expiresAt',
    '_id',
    '$set',
    'constructor',
    'name[$ne]',
  ];
  /** Every route that takes a body, with one that is good but for the ids. */
  const routes: readonly [Method, string, () => object, readonly string[]][] = [
    ['post', products, newProduct, ['stock']],
    ['patch', `${products}/:product`, () => ({ name: 'N' }), []],
    ['put', `${products}/:product/stock`, () => ({ stock: 10 }), []],
    ['post', `${products}/:product/restock`, () => ({ units: 1, reason: 'found' }), ['units']],
    ['post', '/sales', newSale, []],
    ['patch', '/sales/:sale', () => ({ name: 'N' }), []],
    ['post', '/sales/:sale/restock', () => ({ productId: '0'.repeat(24), units: 1 }), ['units']],
    [
      'post',
      '/inventory/reserve',
      () => ({ items: [{ productId: '0'.repeat(24), quantity: 1 }] }),
      [],
    ],
    ['post', '/inventory/release', () => ({ holdId: '0'.repeat(48) }), []],
    ['post', '/inventory/confirm', () => ({ holdId: '0'.repeat(48) }), []],
  ];

  it.each(routes)('to %s %s is a 400 that names the field', async (method, path, body, known) => {
    const product = await givenProduct();
    const { id } = await givenSale(product);
    const whole = path.replace(':product', product).replace(':sale', id);
    const before = (await call('get', `${products}/${product}`, owner)).body as object;
    for (const field of extras.filter((one) => !known.includes(one))) {
      const reply = await call(method, whole, owner, { ...body(), [field]: 'ADMIN' });
      expect([field, reply.status, named(reply)]).toEqual([field, 400, [`/${field}`]]);
    }
    const text = JSON.stringify(body()).slice(1);
    for (const value of ['{"role":"ADMIN"}', 'null', '1']) {
      const reply = await call(method, whole, owner, `{"__proto__":${value},${text}`);
      expect([value, reply.status]).toEqual([value, 400]);
    }
    expect(({} as { role?: string }).role).toBeUndefined();
    expect((await call('get', `${products}/${product}`, owner)).body).toEqual(before);
  });

  it('about an item of a sale or a hold is a 400 that names the field', async () => {
    for (const field of ['merchantId', 'allotted', 'rounds', 'name', 'price[$gt]', 'currency']) {
      const inSale = await call('post', '/sales', owner, newSale({}, { [field]: 1 }));
      expect([inSale.status, named(inSale)]).toEqual([400, [`/items/0/${field}`]]);
      const items = [{ productId: '0'.repeat(24), quantity: 1, [field]: 1 }];
      const inHold = await call('post', '/inventory/reserve', owner, { items });
      expect([inHold.status, named(inHold)]).toEqual([400, [`/items/0/${field}`]]);
    }
  });
});

/** What is no count of units, as JSON text. */
const noCounts = [
  '-1',
  '0',
  '1.5',
  '1e21',
  '1e400',
  '9007199254740993',
  '"1"',
  'true',
  'null',
  '[1]',
  '{"$inc":1}',
];

describe('a number of units', () => {
  it.each(noCounts)('of %s is refused wherever one is asked for', async (literal) => {
    const product = await givenProduct();
    const { id } = await givenSale(product);
    const asText = (body: object) => JSON.stringify(body).replace('"?"', literal);
    const tries: [Method, string, object, string][] = [
      ['post', `${products}/${product}/restock`, { units: '?', reason: 'found' }, '/units'],
      ['post', `/sales/${id}/restock`, { productId: product, units: '?' }, '/units'],
      ['post', '/sales', newSale({}, { stock: '?' }), '/items/0/stock'],
      [
        'post',
        '/inventory/reserve',
        { items: [{ productId: product, quantity: '?' }] },
        '/items/0/quantity',
      ],
      ['post', '/inventory/reserve', { items: [], ttlSeconds: '?' }, '/ttlSeconds'],
      // None in stock is a number of its own.
      ...(literal === '0'
        ? []
        : ([
            ['put', `${products}/${product}/stock`, { stock: '?' }, '/stock'],
            ['post', products, newProduct({ stock: '?' }), '/stock'],
          ] as [Method, string, object, string][])),
    ];
    for (const [method, path, body, pointer] of tries) {
      const reply = await call(method, path, owner, asText(body));
      expect([path, reply.status, named(reply)]).toEqual([
        path,
        400,
        expect.arrayContaining([pointer]),
      ]);
    }
    const { body } = await call('get', `${products}/${product}`, owner);
    expect(body).toMatchObject({ stock: 10, available: 10, version: 1 });
  });

  it('of 1.0000000000000000001 is one', async () => {
    const product = await givenProduct();
    const text = '{"units":1.0000000000000000001,"reason":"found"}';
    const { body } = await call('post', `${products}/${product}/restock`, owner, text).expect(200);
    expect(body.stock).toBe(11);
  });

  it('is bounded so that no stock comes near to what cannot be counted', async () => {
    const product = await givenProduct();
    for (const units of ['1000001', '9007199254740991', '9007199254740992', '1e15']) {
      const text = `{"units":${units},"reason":"found"}`;
      const restock = await call('post', `${products}/${product}/restock`, owner, text);
      expect(named(restock)).toEqual(['/units']);
      const put = await call('put', `${products}/${product}/stock`, owner, `{"stock":${units}}`);
      expect(named(put)).toEqual(['/stock']);
    }
  });
});

describe('a price', () => {
  const withPrice = (literal: string) =>
    JSON.stringify(newProduct({ price: '?' })).replace('"?"', literal);

  it.each([
    '-0.01',
    '0.001',
    '0.30000000000000004',
    '1000000000.01',
    '1e21',
    '1e400',
    '9007199254740993',
    '"10"',
    'true',
    'null',
    '[10]',
    '{"amount":10,"currency":"USD"}',
  ])('of %s is refused, in a product and in a sale', async (literal) => {
    const reply = await call('post', products, owner, withPrice(literal));
    expect([reply.status, named(reply)]).toEqual([400, ['/price']]);
    const sale = JSON.stringify(newSale({}, { price: '?' })).replace('"?"', literal);
    const inSale = await call('post', '/sales', owner, sale);
    expect([inSale.status, named(inSale)]).toEqual([400, ['/items/0/price']]);
  });

  it('however high leaves the total of the largest order a safe whole number', async () => {
    const { body } = await call('post', products, owner, withPrice('1000000000')).expect(201);
    expect(body.product.price).toBe(1_000_000_000);
    const [stored] = await fixture.mongo
      .db()
      .collection('products')
      .find({ sku: String(body.product.sku), merchantId })
      .toArray();
    const minor = Number(stored?.price);
    expect(minor).toBe(100_000_000_000);
    // 20 items, 100 of each.
    expect(Number.isSafeInteger(minor * 20 * 100)).toBe(true);
  });
});

describe('a SKU', () => {
  it.each([
    [''],
    ['a{1}'],
    ['}:ql:{0'],
    ['*'],
    ['a b'],
    ['a\n'],
    ['a\r\nSET x 1'],
    ['a\u0000'],
    ['-a'],
    ['$where'],
    ['__proto__'],
    ['../x'],
    ['ä'],
    ['x'.repeat(65)],
    [{ $ne: null }],
    [['a']],
    [1],
  ])('of %j is refused before it is a key or a filter', async (sku) => {
    const reply = await call('post', products, owner, newProduct({ sku }));
    expect([reply.status, named(reply)]).toEqual([400, ['/sku']]);
  });

  it('and a name of any text leave nothing but ids in the names of keys', async () => {
    const text = '}{0}:* ${x} "; redis.call("FLUSHALL") -- \' OR 1=1 </script>';
    const over = { name: text, category: text.slice(0, 80), description: text };
    const { body } = await call('post', products, owner, newProduct(over)).expect(201);
    expect(body.product).toMatchObject(over);
    const id = '[0-9a-f]{24}';
    const stored = await fixture.connection.client.keys(
      `${fixture.keys.shardCount.split('ql:')[0]}*`,
    );
    const known = new RegExp(
      `:ql:\\{\\d+\\}:(shards|admitted|due|unrecorded|(sale|stock|buyers|holds|bare):${id}|` +
        `free:${id}:${id}|idem:[0-9a-f]{64})$`,
    );
    expect(stored.length).toBeGreaterThan(0);
    expect(stored.filter((key) => !known.test(key))).toEqual([]);
  });
});

describe('operators', () => {
  it.each([
    [`${products}?search[$regex]=.*`, '/query/search[$regex]'],
    [`${products}?category[$ne]=x`, '/query/category[$ne]'],
    [`${products}?search=a&search=b`, '/query/search'],
    [`${products}?sort=$where`, '/query/sort'],
    [`${products}?fields=$password`, '/query/fields'],
    [`${products}?minPrice=%7B%22%24gt%22%3A1%7D`, '/query/minPrice'],
    [`${products}?cursor=eyIkZ3QiOiIifQ`, '/query/cursor'],
    [`${products}/%7B%22%24gt%22%3A%22%22%7D`, '/params/id'],
    ['/sales?merchantId[$ne]=x', '/query/merchantId[$ne]'],
    ['/sales?state[$in][]=open', '/query/state[$in][]'],
    ['/sales?$where=1', '/query/$where'],
    ['/sales/%24ne', '/params/id'],
    ['/sales/%24ne/audit', '/params/id'],
  ])('in %s are refused, naming the place', async (path, pointer) => {
    const reply = await call('get', path, owner);
    expect([reply.status, named(reply)]).toEqual([400, expect.arrayContaining([pointer])]);
  });

  it('in a search are words', async () => {
    for (const search of ['.*', '(a+)+$', '$where', '^'])
      expect(
        (await call('get', `${products}?search=${encodeURIComponent(search)}`, owner)).body,
      ).toMatchObject(/[a-z]/.test(search) ? { data: [] } : { code: 'validation-failed' });
  });
});

describe('what belongs to another merchant', () => {
  /** Without what differs from request to request. */
  const shown = ({ status, body }: { status: number; body: object }) => ({
    status,
    body: { ...body, requestId: '', instance: '' },
  });

  it('is as if it were not there, whatever is tried', async () => {
    const product = await givenProduct();
    const { id: sale } = await givenSale(product);
    const stranger = tokenFor('MERCHANT');
    const tries: [Method, string, object?][] = [
      ['patch', `${products}/:id`, { price: 1 }],
      ['delete', `${products}/:id`],
      ['put', `${products}/:id/stock`, { stock: 0 }],
      ['post', `${products}/:id/restock`, { units: 1, reason: 'found' }],
      ['get', `${products}/:id/movements`],
      ['patch', '/sales/:id', { name: 'Mine' }],
      ['post', '/sales/:id/pause'],
      ['post', '/sales/:id/resume'],
      ['post', '/sales/:id/close'],
      ['post', '/sales/:id/restock', { productId: product, units: 1 }],
      ['get', '/sales/:id/audit'],
    ];
    const saleBefore = (await call('get', `/sales/${sale}`, owner).expect(200)).body as object;
    for (const [method, path, body] of tries) {
      const id = path.startsWith('/sales') ? sale : product;
      const reply = shown(await call(method, path.replace(':id', id), stranger, body));
      expect([path, reply]).toMatchObject([path, { status: 404, body: { code: 'not-found' } }]);
      const madeUp = await call(method, path.replace(':id', objectId()), stranger, body);
      expect([path, reply]).toEqual([path, shown(madeUp)]);
    }
    const mixed = await call('post', '/sales', stranger, newSale({}, { productId: product }));
    const madeUp = await call('post', '/sales', stranger, newSale({}, { productId: objectId() }));
    for (const { status, body } of [mixed, madeUp])
      expect([status, body.code]).toEqual([422, 'unknown-product']);
    expect((await call('get', `${products}/${product}`, owner)).body).toMatchObject({ version: 1 });
    expect((await call('get', `/sales/${sale}`, owner)).body).toEqual(saleBefore);
  });

  it('takes no keys from their owner: the same key restocks once for each', async () => {
    const key = 'the key of A';
    const restock = async (token: string) => {
      const made = await call('post', products, token, newProduct()).expect(201);
      return call('post', `${products}/${made.body.product._id}/restock`, token, {
        units: 5,
        reason: 'found',
      }).set('Idempotency-Key', key);
    };
    for (const token of [owner, tokenFor('MERCHANT')]) {
      const { status, body } = await restock(token);
      expect([status, body.stock]).toEqual([200, 15]);
    }
    expect((await restock(owner)).body.code).toBe('idempotency-key-reused');
  });
});
