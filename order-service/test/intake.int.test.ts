import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { idempotencyDigest, requestFingerprint } from '@quicksale/shared/idempotency';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

describe('intake on real stores', () => {
  let fixture: OrderFixture;
  beforeAll(async () => {
    fixture = await startOrders();
  }, 60_000);
  afterAll(() => fixture?.stop());

  const body = (productId: string) => ({ items: [{ productId, quantity: 1 }] });

  /** What a process leaves that dies right after the ledger said yes. */
  async function givenUnrecordedHold(
    sale: { productId: string; saleId: string },
    userId: string,
    key: string,
  ) {
    const digest = idempotencyDigest({ userId, route: 'POST /api/orders', key });
    const fingerprint = requestFingerprint(body(sale.productId));
    const orderId = newId();
    const [reply] = await fixture.ledger.reserve(sale.saleId, [
      {
        orderId,
        userId,
        kind: 'order',
        digest,
        fingerprint,
        items: body(sale.productId).items,
        facts: JSON.stringify({
          orderNumber: `ORD-2026-${orderId}`,
          saleId: sale.saleId,
          currency: 'USD',
          items: [{ productId: sale.productId, sku: 'LAMP', name: 'Lamp', quantity: 1 }],
          key,
          digest,
          fingerprint,
        }),
      },
    ]);
    expect(reply?.status).toBe('reserved');
    return orderId;
  }

  const unrecorded = (sale: { saleId: string }, orderId: string) =>
    fixture.redis.client.zscore(
      fixture.keys.sale(sale.saleId).unrecorded,
      `${sale.saleId}/${orderId}`,
    );

  it('sells each unit once, whoever asks at the same time', async () => {
    const sale = await fixture.givenProduct(20);
    const answers = await Promise.all(
      Array.from({ length: 60 }, () =>
        fixture.place({ userId: newId(), key: 'k', productId: sale.productId }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(answers.filter(({ body }) => body.code === 'sold-out')).toHaveLength(40);
    const units = (await fixture.orders(sale.saleId)).flatMap((order) => order.units as string[]);
    expect(new Set(units).size).toBe(20);
  });

  it('builds the order of a hold whose process died, by the sweep', async () => {
    const sale = await fixture.givenProduct(1);
    const userId = newId();
    const orderId = await givenUnrecordedHold(sale, userId, 'lost');
    expect(await unrecorded(sale, orderId)).not.toBeNull();
    await eventually(async () => {
      const orders = await fixture.orders(sale.saleId);
      expect(orders.map(({ _id }) => String(_id))).toEqual([orderId]);
      expect(await unrecorded(sale, orderId)).toBeNull();
    }, 12_000);
    const replay = await fixture.place({ userId, key: 'lost', productId: sale.productId });
    expect(replay.status).toBe(201);
    expect(replay.body.order._id).toBe(orderId);
    expect(replay.headers['idempotent-replayed']).toBe('true');
  }, 20_000);

  it('completes it at once when the buyer asks again', async () => {
    const sale = await fixture.givenProduct(1);
    const userId = newId();
    const orderId = await givenUnrecordedHold(sale, userId, 'again');
    const replay = await fixture.place({ userId, key: 'again', productId: sale.productId });
    expect([replay.status, replay.body.order._id]).toEqual([201, orderId]);
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
  });

  it('answers with the stored order after the ledger forgot the key, and gives the unit back', async () => {
    const sale = await fixture.givenProduct(5);
    const order = { userId: newId(), key: 'forgotten', productId: sale.productId };
    const first = await fixture.place(order);
    const digest = idempotencyDigest({
      userId: order.userId,
      route: 'POST /api/orders',
      key: order.key,
    });
    await fixture.redis.client.del(fixture.keys.idem(sale.saleId, digest));
    const replay = await fixture.place(order);
    expect([replay.status, replay.text]).toEqual([201, first.text]);
    const other = { ...order, quantity: 2 };
    await fixture.redis.client.del(fixture.keys.idem(sale.saleId, digest));
    expect((await fixture.place(other)).body.code).toBe('idempotency-key-reused');
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
    const snapshot = await fixture.ledger.snapshot(sale.saleId);
    expect(snapshot).toMatchObject({ products: { [sale.productId]: { available: 4 } } });
  });

  it('fences a sale whose ledger issues a unit again', async () => {
    const sale = await fixture.givenProduct(5);
    const first = { userId: newId(), key: 'one', productId: sale.productId };
    expect((await fixture.place(first)).status).toBe(201);
    // A ledger that went back: the unit is free again, its record and key are gone.
    const keys = fixture.keys.sale(sale.saleId);
    await fixture.redis.client.hset(keys.stock, `${sale.productId}:next`, '1');
    await fixture.redis.client.hset(keys.stock, `${sale.productId}:available`, '5');
    const second = await fixture.place({ ...first, userId: newId() });
    expect([second.status, second.body.code]).toEqual([503, 'sale-fenced']);
    expect(second.headers['retry-after']).toMatch(/^\d+$/);
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
    const third = await fixture.place({ ...first, userId: newId() });
    expect([third.status, third.body.code]).toEqual([503, 'sale-fenced']);
  });

  it('gives a dead key to a new order', async () => {
    const sale = await fixture.givenProduct(5);
    const userId = newId();
    const orderId = await givenUnrecordedHold(sale, userId, 'dead');
    await fixture.ledger.release(sale.saleId, [{ orderId, units: { [sale.productId]: [1] } }]);
    const answer = await fixture.place({ userId, key: 'dead', productId: sale.productId });
    expect(answer.status).toBe(201);
    expect(answer.body.order._id).not.toBe(orderId);
    expect(answer.headers['idempotent-replayed']).toBeUndefined();
  });

  it('says 503 while the ledger server is not admitted, and nothing happens', async () => {
    const sale = await fixture.givenProduct(1);
    const { admitted } = fixture.keys.sale(sale.saleId);
    await fixture.redis.client.set(admitted, 'another server');
    const order = { userId: newId(), key: 'k', productId: sale.productId };
    const refused = await fixture.place(order);
    expect([refused.status, refused.body.code]).toEqual([503, 'dependency-unavailable']);
    await fixture.redis.client.set(admitted, fixture.redis.runId());
    expect((await fixture.place(order)).status).toBe(201);
  });

  it('announces each order once', async () => {
    const sale = await fixture.givenProduct(3);
    const announced: string[] = [];
    const { orderCreated } = await import('@quicksale/shared/contracts');
    const consumer = fixture.bus.createConsumer({
      contract: orderCreated,
      group: newId(),
      handle: async (batch) =>
        void announced.push(
          ...batch.filter(({ data }) => data.saleId === sale.saleId).map(({ id }) => id),
        ),
    });
    await consumer.start();
    const order = { userId: newId(), key: 'k', productId: sale.productId };
    const { body } = await fixture.place(order);
    await fixture.place(order);
    await eventually(() => expect(announced).toEqual([`${body.order._id}:1`]));
    await consumer.stop();
  });

  it.each([
    ['', 'idempotency-key-required'],
    ['x'.repeat(256), 'idempotency-key-invalid'],
    ['caf\u00e9', 'idempotency-key-invalid'],
  ])('refuses the key %p', async (key, code) => {
    const answer = await fixture.request
      .post('/api/orders')
      .set('Authorization', `Bearer user-${newId()}`)
      .set(key ? { 'Idempotency-Key': key } : {})
      .send(body(newId()));
    expect([answer.status, answer.body.code]).toEqual([400, code]);
  });

  it('refuses a body that is too large, of another type or not JSON', async () => {
    const post = () =>
      fixture.request
        .post('/api/orders')
        .set('Authorization', `Bearer user-${newId()}`)
        .set('Idempotency-Key', 'k');
    const large = await post().send({ items: [], note: 'x'.repeat(17_000) });
    expect([large.status, large.body.code]).toEqual([413, 'payload-too-large']);
    const form = await post().type('form').send('items=1');
    expect([form.status, form.body.code]).toEqual([415, 'unsupported-media-type']);
    const broken = await post().type('json').send('{"items":[');
    expect([broken.status, broken.body.code]).toEqual([400, 'malformed-json']);
    const unknown = await post().send({ items: [], userId: newId() });
    expect(unknown.body.errors).toContainEqual({ pointer: '/userId', message: 'unknown field' });
  });
});
