import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(40_000);

let fixture: OrderFixture;
let sale: { productId: string; saleId: string };
beforeAll(async () => {
  fixture = await startOrders();
  sale = await fixture.givenProduct(1_000);
}, 60_000);
afterAll(() => fixture?.stop());

const me = newId();
const send = (body: string | object, key = newId()) =>
  fixture.request
    .post('/api/orders')
    .set('Authorization', `Bearer user-${me}`)
    .set('Idempotency-Key', key)
    .type('application/json')
    .send(body);
const line = () => ({ productId: sale.productId, quantity: 1 });
const good = () => ({ items: [line()] });
const ordersOfSale = async () => (await fixture.orders(sale.saleId)).length;

/** The fields that an answer names. */
const named = (reply: { body: { errors?: { pointer: string }[] } }) => [
  ...new Set((reply.body.errors ?? []).map(({ pointer }) => pointer)),
];

async function givenOrder(userId = newId(), key = newId()) {
  const reply = await fixture.place({ userId, key, productId: sale.productId });
  expect(reply.status).toBe(201);
  return { userId, key, orderId: reply.body.order._id as string, text: reply.text };
}

describe('an order that says more than it may', () => {
  const extras = [
    'price',
    'totalAmount',
    'currency',
    'status',
    'paymentStatus',
    'inventoryStatus',
    'userId',
    'role',
    'units',
    'expiresAt',
    'saleId',
    'merchantId',
    'orderNumber',
    'idempotencyKey',
    '_id',
    'version',
    'kind',
    'to',
    '$where',
    'constructor',
    'items[$gt]',
  ];

  it('is a 400 that names the field, at every depth, and orders nothing', async () => {
    const before = await ordersOfSale();
    const address = { line1: 'a', city: 'b', postalCode: 'c', country: 'DE' };
    for (const field of extras) {
      const more = { [field]: 1 };
      for (const [body, pointer] of [
        [{ ...good(), ...more }, `/${field}`],
        [{ items: [{ ...line(), ...more }] }, `/items/0/${field}`],
        [{ ...good(), shippingAddress: { ...address, ...more } }, `/shippingAddress/${field}`],
        [{ ...good(), billingAddress: { ...address, ...more } }, `/billingAddress/${field}`],
      ] as const) {
        const reply = await send(body);
        expect([reply.status, named(reply)]).toEqual([400, [pointer]]);
      }
    }
    expect(await ordersOfSale()).toBe(before);
  });

  it('takes price, owner, status and units from where they belong', async () => {
    const identity = { 'X-User-Id': newId(), 'X-User-Role': 'ADMIN', 'X-Price': '0' };
    const reply = await send(good()).set(identity).expect(201);
    expect(reply.body.order).toMatchObject({
      userId: me,
      saleId: sale.saleId,
      totalAmount: 49.99,
      currency: 'USD',
      status: 'PENDING',
    });
  });

  it('to cancel is a 400 that names the field, and cancels nothing', async () => {
    const order = await givenOrder();
    for (const field of [...extras, 'refund', 'force']) {
      const reply = await fixture.cancel({ ...order, key: newId(), body: { [field]: 1 } });
      expect([reply.status, named(reply)]).toEqual([400, [`/${field}`]]);
    }
    expect((await fixture.read(order)).body.status).toBe('PENDING');
  });

  it('changes no prototype, at any depth', async () => {
    const item = JSON.stringify(line()).slice(1);
    const address = '"line1":"a","city":"b","postalCode":"c","country":"DE"}';
    for (const name of ['__proto__', 'constructor'])
      for (const value of ['{"userId":"x","admin":true}', '{"prototype":{"admin":true}}', 'null'])
        for (const text of [
          `{"${name}":${value},"items":[{${item}]}`,
          `{"items":[{"${name}":${value},${item}]}`,
          `{"items":[{${item}],"shippingAddress":{"${name}":${value},${address}}`,
        ]) {
          const reply = await send(text);
          expect([text, reply.status, reply.body.code]).toEqual([text, 400, 'validation-failed']);
        }
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe('a quantity', () => {
  const withQuantity = (literal: string) =>
    `{"items":[{"productId":"${sale.productId}","quantity":${literal}}]}`;

  it.each([
    '-1',
    '0',
    '-0',
    '0.5',
    '1.5',
    '1e-9',
    '101',
    '1e21',
    '1e400',
    '-1e400',
    '9007199254740993',
    '"1"',
    '"1e0"',
    'true',
    'false',
    'null',
    '[1]',
    '[]',
    '{"$gt":0}',
    '{"valueOf":1}',
  ])('of %s is refused', async (literal) => {
    const before = await ordersOfSale();
    const reply = await send(withQuantity(literal));
    expect([reply.status, reply.body.code, named(reply)]).toEqual([
      400,
      'validation-failed',
      ['/items/0/quantity'],
    ]);
    expect(await ordersOfSale()).toBe(before);
  });

  it.each(['NaN', 'Infinity', '01', '0x1', '+1', '1n', ''])('of %s is no JSON', async (literal) => {
    expect((await send(withQuantity(literal))).body.code).toBe('malformed-json');
  });

  it.each(['1.0000000000000000001', '1.0', '1e0', '10e-1'])('of %s is one', async (literal) => {
    const reply = await send(withQuantity(literal)).expect(201);
    expect(reply.body.order).toMatchObject({ totalAmount: 49.99, reservation: { units: 1 } });
  });

  it('said twice is the one that is written last, never both', async () => {
    const reply = await send(withQuantity('100,"quantity":1')).expect(201);
    expect(reply.body.order.reservation.units).toBe(1);
  });

  it('of one product in two lines is refused, however its id is written', async () => {
    const { productId } = sale;
    const items = [line(), { productId: productId.toUpperCase(), quantity: 1 }];
    expect(named(await send({ items }))).toEqual(['/items']);
  });
});

describe('a product id', () => {
  it.each([
    [''],
    ['x'],
    ['{0}'],
    ['*'],
    ['}:ql:{0'],
    ['0'.repeat(23)],
    ['0'.repeat(25)],
    [`${'0'.repeat(24)}\n`],
    [`${'0'.repeat(23)}:`],
    ['\u0000'],
    ['\uff10'.repeat(24)],
    [{ $gt: '' }],
    [{ $in: [] }],
    [['0'.repeat(24)]],
    [null],
    [0],
  ])('of %j is refused before it is a key or a filter', async (productId) => {
    const reply = await send({ items: [{ productId, quantity: 1 }] });
    expect([reply.status, named(reply)]).toEqual([400, ['/items/0/productId']]);
  });
});

describe('operators', () => {
  const get = (path: string) => fixture.request.get(path).set('Authorization', `Bearer user-${me}`);

  it.each([
    ['/api/orders/%7B%22%24gt%22%3A%22%22%7D', '/params/id'],
    ['/api/orders/%24where', '/params/id'],
    ['/api/orders/%5B%24ne%5D', '/params/id'],
    ['/api/orders?status[$ne]=CANCELLED', '/query/status[$ne]'],
    ['/api/orders?status=%7B%22%24ne%22%3A1%7D', '/query/status'],
    ['/api/orders?status=PENDING&status=CANCELLED', '/query/status'],
    ['/api/orders?saleId[$gt]=', '/query/saleId[$gt]'],
    ['/api/orders?cursor=.*', '/query/cursor'],
    ['/api/orders?cursor[$gt]=', '/query/cursor[$gt]'],
    ['/api/orders?fields=$password', '/query/fields'],
    ['/api/orders?$where=sleep(1000)', '/query/$where'],
    [`/api/orders?userId=${newId()}`, '/query/userId'],
    ['/api/orders?limit=1e9', '/query/limit'],
    ['/api/orders?limit=-1', '/query/limit'],
    ['/api/orders?limit[]=1', '/query/limit[]'],
    ['/api/orders?__proto__[x]=1', '/query/__proto__[x]'],
  ])('in %s are refused, naming the place', async (path, pointer) => {
    const reply = await get(path);
    expect([reply.status, named(reply)]).toEqual([400, [pointer]]);
  });

  it('in headers are text', async () => {
    const order = await givenOrder(me);
    const reply = await get(`/api/orders/${order.orderId}`)
      .set('If-None-Match', '{"$ne":null}')
      .set('X-User-Id', '{"$ne":null}');
    expect(reply.status).toBe(200);
    expect((await get('/api/orders').set('Authorization', 'Bearer {"$ne":1}')).status).toBe(401);
  });
});

describe('an order of somebody else', () => {
  /** Without what differs from request to request. */
  const shown = ({ status, body }: { status: number; body: object }) => ({
    status,
    body: { ...body, requestId: '', instance: '' },
  });
  /** First digits of an id of long ago. */
  const old = '5e0be100';

  async function givenOldOrder() {
    const order = await givenOrder();
    const orders = fixture.mongo.db().collection('orders');
    const [document] = (await orders.find({ userId: order.userId }).toArray()) as object[];
    const { ObjectId } = fixture.mongo.connection.base.mongo;
    const orderId = old + newId().slice(8);
    const {
      units: _units,
      idempotencyDigest: _digest,
      ...rest
    } = document as Record<string, unknown>;
    await orders.insertOne({ ...rest, _id: new ObjectId(orderId) });
    return { ...order, orderId };
  }
  type Given = Awaited<ReturnType<typeof givenOldOrder>>;

  it('is as if it were not there: read, cancelled, deleted, asked for by version', async () => {
    const order = await givenOldOrder();
    const madeUp = { ...order, orderId: old + newId().slice(8) };
    expect((await fixture.read(order)).status).toBe(200);
    const userId = newId();
    for (const call of [
      (one: Given) => fixture.read({ ...one, userId }),
      (one: Given) => fixture.read({ ...one, userId }).set('If-None-Match', '"1"'),
      (one: Given) => fixture.cancel({ ...one, userId, key: newId() }),
      (one: Given) => fixture.cancel({ ...one, userId }),
      (one: Given) =>
        fixture.request
          .delete(`/api/orders/${one.orderId}`)
          .set('Authorization', `Bearer user-${userId}`)
          .set('Idempotency-Key', newId()),
    ]) {
      const reply = shown(await call(order));
      expect(reply).toMatchObject({ status: 404, body: { code: 'not-found' } });
      expect(shown(await call(madeUp)).body).toMatchObject({ code: 'not-found' });
    }
    expect((await fixture.read(order)).body).toMatchObject({ status: 'PENDING', version: 1 });
  });

  it('that is young is answered like one that nobody has', async () => {
    const order = await givenOrder();
    const userId = newId();
    const madeUp = order.orderId.slice(0, 8) + newId().slice(8);
    for (const call of [
      (orderId: string) => fixture.read({ userId, orderId }),
      (orderId: string) => fixture.cancel({ userId, orderId, key: newId() }),
    ]) {
      const reply = shown(await call(order.orderId));
      expect(reply.status).toBe(503);
      expect(reply).toEqual(shown(await call(madeUp)));
    }
  });

  it('is in no list, whatever is asked for', async () => {
    const order = await givenOldOrder();
    const userId = newId();
    const own = await givenOrder(userId);
    const list = async (query: string) => {
      const { body } = await fixture.request
        .get(`/api/orders${query}`)
        .set('Authorization', `Bearer user-${userId}`);
      return (body.data as { _id: string }[]).map(({ _id }) => _id);
    };
    for (const query of ['', `?saleId=${sale.saleId}`, '?limit=100', '?status=PENDING'])
      expect(await list(query)).toEqual([own.orderId]);
    expect(await list(`?cursor=${order.orderId}`)).toEqual([]);
  });
});

describe('an Idempotency-Key', () => {
  /** A request whose key is these very bytes. */
  async function sendBytes(key: Buffer, headers: readonly string[] = []): Promise<string> {
    const body = JSON.stringify(good());
    const socket = connect(fixture.port(), '127.0.0.1');
    await once(socket, 'connect');
    const lines = [
      'POST /api/orders HTTP/1.1',
      'Host: shop',
      `Authorization: Bearer user-${me}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      'Connection: close',
      ...headers,
      'Idempotency-Key: ',
    ];
    const start = Buffer.from(lines.join('\r\n'));
    socket.write(Buffer.concat([start, key, Buffer.from(`\r\n\r\n${body}`)]));
    let reply = '';
    for await (const bytes of socket) reply += String(bytes);
    return reply;
  }

  it('of somebody else is another key: nothing of their order is seen or taken', async () => {
    const theirs = await givenOrder(newId(), 'the key of A');
    const mine = await fixture.place({ ...sale, userId: me, key: 'the key of A' });
    expect([mine.status, mine.headers['idempotent-replayed']]).toEqual([201, undefined]);
    expect(mine.body.order).toMatchObject({ userId: me });
    expect(mine.body.order._id).not.toBe(theirs.orderId);
    const third = await fixture.place({ ...sale, userId: newId(), key: theirs.key, quantity: 2 });
    expect(third.status).toBe(201);
    const again = await fixture.place({ ...theirs, ...sale });
    expect([again.status, again.text]).toEqual([201, theirs.text]);
  });

  it('with another body is a 422 and tells nothing of the first one', async () => {
    const order = await givenOrder();
    const other = await fixture.place({ ...order, ...sale, quantity: 2 });
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
    expect(other.text).not.toContain(order.orderId);
  });

  it.each([
    ['nothing', Buffer.from('')],
    ['blanks', Buffer.from('  \t ')],
    ['empty quotes', Buffer.from('""')],
    ['256 characters', Buffer.from('k'.repeat(256))],
    ['7 kB', Buffer.from('k'.repeat(7_000))],
    ['UTF-8', Buffer.from('clé-\u{1f511}')],
    ['Latin-1', Buffer.from('clé', 'latin1')],
    ['a tab', Buffer.from('a\tb')],
  ])('of %s is refused', async (_name, key) => {
    const before = await ordersOfSale();
    const reply = await sendBytes(key);
    expect(reply).toMatch(/^HTTP\/1\.1 400 [^]*"code":"idempotency-key-(invalid|required)"/);
    expect(await ordersOfSale()).toBe(before);
  });

  it.each([
    ['a zero byte', Buffer.from('a\0b')],
    ['a bare line feed', Buffer.from('a\nX-User-Id: 1')],
    ['a bare carriage return', Buffer.from('a\rX-User-Id: 1')],
  ])('of %s is no HTTP', async (_name, key) => {
    const before = await ordersOfSale();
    expect(await sendBytes(key)).toMatch(/^HTTP\/1\.1 400 [^]*"code":"malformed-request"/);
    expect(await ordersOfSale()).toBe(before);
  });

  it('of 10 kB is more than all headers may be', async () => {
    const before = await ordersOfSale();
    const reply = await sendBytes(Buffer.from('k'.repeat(10_000)));
    expect(reply).toMatch(/^HTTP\/1\.1 431 [^]*"code":"headers-too-large"/);
    expect(await ordersOfSale()).toBe(before);
  });

  it('that is sent twice is refused, in any case of its name', async () => {
    expect(await sendBytes(Buffer.from('b'), ['IDEMPOTENCY-KEY: a'])).toMatch(
      /^HTTP\/1\.1 400 [^]*"code":"idempotency-key-invalid"/,
    );
  });

  it('with a header behind its line end brings no identity', async () => {
    const other = newId();
    const reply = await sendBytes(Buffer.from(`${newId()}\r\nX-User-Id: ${other}`));
    expect(reply).toMatch(/^HTTP\/1\.1 201 /);
    expect(reply).toContain(me);
    expect(reply).not.toContain(other);
  });

  it('of any printable text names one order and leaves nothing but digests in the ledger', async () => {
    const keys = [
      'a}b{0}',
      '{1}',
      '*',
      '../../x',
      "' OR 1=1 --",
      'redis.call("FLUSHALL")',
      '$(reboot)',
      '%0d%0aX: 1',
      '__proto__',
      'constructor',
      '~'.repeat(255),
      'ql:{0}:admitted',
    ];
    for (const key of keys) {
      const userId = newId();
      const first = await fixture.place({ userId, key, ...sale }).expect(201);
      const again = await fixture.place({ userId, key: `"${key}"`, ...sale }).expect(201);
      expect(again.text).toBe(first.text);
    }
    const id = '[0-9a-f]{24}';
    const known = new RegExp(
      `^${fixture.namespace}:ql:\\{\\d+\\}:(shards|admitted|due|unrecorded|` +
        `(sale|stock|buyers|holds|bare):${id}|free:${id}:${id}|idem:[0-9a-f]{64})$`,
    );
    const stored = await fixture.redis.client.keys(`${fixture.namespace}:*`);
    expect(stored.length).toBeGreaterThan(keys.length);
    expect(stored.filter((key) => !known.test(key))).toEqual([]);
  });
});

it('events and the log have no key, no address, no token and no name in them', async () => {
  fixture.lines.length = 0;
  fixture.published.length = 0;
  const key = 'a key that nobody may read';
  const address = {
    name: 'Ann Tainted',
    line1: 'Tainted Street 1',
    city: 'Taintedville',
    postalCode: 'T4INT',
    country: 'DE',
  };
  const body = { ...good(), shippingAddress: address, billingAddress: address };
  const placed = await send(body, key).expect(201);
  const orderId = placed.body.order._id as string;
  const reason = 'a tainted reason';
  await fixture.cancel({ userId: me, orderId, key, body: { reason } }).expect(200);
  await send({ ...body, more: 1 }, key).expect(400);
  await send(JSON.stringify(body).slice(1), key).expect(400);
  const events = JSON.stringify(fixture.published);
  expect(fixture.published.length).toBeGreaterThanOrEqual(2);
  expect(events).toContain(orderId);
  const written = fixture.lines.join('');
  for (const text of fixture.lines) expect(JSON.parse(text)).toHaveProperty('msg');
  for (const secret of [key, `user-${me}`, reason, ...Object.values(address).slice(0, 4)]) {
    expect(written).not.toContain(secret);
    expect(events).not.toContain(secret);
  }
});
