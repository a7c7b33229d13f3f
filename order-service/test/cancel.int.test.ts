import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { applyFact, createMongoOrderStore } from '@quicksale/shared/orders';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

describe('cancelling on real stores', () => {
  let fixture: OrderFixture;
  beforeAll(async () => {
    fixture = await startOrders();
  }, 60_000);
  afterAll(() => fixture?.stop());

  async function givenOrderOf(stock: number, quantity = 1) {
    const sale = await fixture.givenProduct(stock);
    const userId = newId();
    const placed = await fixture.place({ userId, key: 'k', productId: sale.productId, quantity });
    expect(placed.status).toBe(201);
    return { ...sale, userId, orderId: placed.body.order._id as string, placed };
  }

  const cancel = (userId: string, orderId: string, body?: object, key = 'cancel') =>
    fixture.request
      .post(`/api/orders/${orderId}/cancel`)
      .set('Authorization', `Bearer user-${userId}`)
      .set('Idempotency-Key', key)
      .send(body);

  async function counters(sale: { saleId: string; productId: string }) {
    const snapshot = await fixture.ledger.snapshot(sale.saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    return { ...snapshot.products[sale.productId], records: snapshot.records.length };
  }

  it('gives the units back at once, and the answer of creation stays what it was', async () => {
    const order = await givenOrderOf(2, 2);
    const answer = await cancel(order.userId, order.orderId, { reason: 'too dear' });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      _id: order.orderId,
      status: 'CANCELLED',
      inventoryStatus: 'RELEASED',
      version: 2,
      history: [{ to: 'PENDING' }, { from: 'PENDING', to: 'CANCELLED', reason: 'too dear' }],
    });
    expect(await counters(order)).toMatchObject({ last: 2, available: 2, records: 0 });
    const again = { userId: order.userId, key: 'k', productId: order.productId, quantity: 2 };
    const replay = await fixture.place(again);
    expect([replay.status, replay.text]).toEqual([201, order.placed.text]);
    // Somebody else gets the very same units.
    const next = await fixture.place({ ...again, userId: newId() });
    expect(next.status).toBe(201);
    expect(await counters(order)).toMatchObject({ available: 0, records: 1 });
  });

  it('is said yes to again, without a further effect', async () => {
    const order = await givenOrderOf(1);
    const first = await cancel(order.userId, order.orderId);
    const second = await cancel(order.userId, order.orderId);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body.version).toBe(first.body.version);
    const alias = await fixture.request
      .delete(`/api/orders/${order.orderId}`)
      .set('Authorization', `Bearer user-${order.userId}`)
      .set('Idempotency-Key', 'other');
    expect(alias.status).toBe(200);
    expect(await counters(order)).toMatchObject({ available: 1, records: 0 });
  });

  it('has one effect when it is asked for many times at once, over and over', async () => {
    const sale = await fixture.givenProduct(1);
    for (let round = 0; round < 50; round += 1) {
      const userId = newId();
      const { body } = await fixture.place({ userId, key: 'k', productId: sale.productId });
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => cancel(userId, body.order._id as string)),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(answers.map((answer) => answer.body.version as number)).toEqual([2, 2, 2, 2]);
      expect(await counters(sale)).toMatchObject({ last: 1, available: 1, records: 0 });
    }
  }, 60_000);

  it("does not see another user's order", async () => {
    const order = await givenOrderOf(1);
    const answer = await cancel(newId(), order.orderId);
    // As of any id this young that is not this buyer's: there may or may not be an order.
    expect([answer.status, answer.body.code]).toEqual([503, 'order-being-recorded']);
    expect(answer.headers['retry-after']).toBe('1');
    expect(await counters(order)).toMatchObject({ available: 0 });
  });

  it('comes too late for an order that was shipped', async () => {
    const order = await givenOrderOf(1);
    await fixture.mongo
      .db()
      .collection('orders')
      .updateOne({ saleId: order.saleId }, { $set: { status: 'SHIPPED' } });
    const alias = await fixture.request
      .delete(`/api/orders/${order.orderId}`)
      .set('Authorization', `Bearer user-${order.userId}`)
      .set('Idempotency-Key', 'by the other name');
    expect([alias.status, alias.body.code]).toEqual([409, 'order-state-conflict']);
    const answer = await cancel(order.userId, order.orderId);
    expect([answer.status, answer.body.code, answer.body.currentStatus]).toEqual([
      409,
      'order-state-conflict',
      'SHIPPED',
    ]);
  });

  it('is finished by the scan when the process dies right after the write', async () => {
    const order = await givenOrderOf(1);
    const store = createMongoOrderStore(fixture.mongo);
    const [stored] = await store.findByIds([order.orderId]);
    if (!stored) throw new Error('no order');
    const at = new Date(Date.now() - 60_000);
    const outcome = applyFact(stored, { type: 'cancel', by: order.userId, at });
    if (outcome.kind !== 'changed') throw new Error(outcome.kind);
    await store.applyChanges([{ id: order.orderId, change: outcome.change }]);
    expect(await counters(order)).toMatchObject({ available: 0, records: 1 });
    await eventually(async () => {
      expect(await counters(order)).toMatchObject({ available: 1, records: 0 });
      const [left] = await store.findByIds([order.orderId]);
      expect(left).not.toHaveProperty('releasing');
      // Only the proof of order.created is still to come: nobody answers in this test.
      expect(left?.outbox?.map(({ id }) => id)).toEqual([`${order.orderId}:1`]);
    });
  });

  it('stands while the ledger is away, and the units come back later', async () => {
    const order = await givenOrderOf(1);
    const { admitted } = fixture.keys.sale(order.saleId);
    await fixture.redis.client.set(admitted, 'another server');
    const answer = await cancel(order.userId, order.orderId);
    expect([answer.status, answer.body.status]).toEqual([200, 'CANCELLED']);
    await fixture.redis.client.set(admitted, fixture.redis.runId());
    await eventually(
      async () => expect(await counters(order)).toMatchObject({ available: 1, records: 0 }),
      20_000,
    );
  }, 30_000);

  describe('of some units', () => {
    const some = (productId: string, quantity: number) => ({ items: [{ productId, quantity }] });

    it('gives those back, and the order goes on with the rest', async () => {
      const order = await givenOrderOf(5, 3);
      const body = { reason: 'one is enough', ...some(order.productId, 2) };
      const answer = await cancel(order.userId, order.orderId, body);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        status: 'PENDING',
        inventoryStatus: 'PENDING',
        paymentStatus: 'NONE',
        version: 2,
        items: [{ productId: order.productId, quantity: 3, cancelled: 2 }],
        history: [
          { to: 'PENDING' },
          { from: 'PENDING', to: 'PENDING', reason: 'one is enough', cancelled: body.items },
        ],
      });
      expect(answer.headers.etag).toBe('"2"');
      expect(JSON.stringify(answer.body)).not.toContain('fingerprint');
      expect(await counters(order)).toMatchObject({ available: 4, records: 1 });
      const wanted = { userId: order.userId, key: 'k', productId: order.productId, quantity: 3 };
      expect((await fixture.place(wanted)).text).toBe(order.placed.text);
    });

    it('has one effect per key, and another body under it is refused', async () => {
      const order = await givenOrderOf(5, 4);
      const one = some(order.productId, 1);
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => cancel(order.userId, order.orderId, one)),
      );
      expect(answers.map(({ status, body }) => [status, body.version as number])).toEqual(
        Array.from({ length: 4 }, () => [200, 2]),
      );
      expect(await counters(order)).toMatchObject({ available: 2 });
      for (const body of [some(order.productId, 2), undefined]) {
        const other = await cancel(order.userId, order.orderId, body);
        expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
        const alias = await fixture.request
          .delete(`/api/orders/${order.orderId}`)
          .set('Authorization', `Bearer user-${order.userId}`)
          .set('Idempotency-Key', 'cancel')
          .send(body);
        expect([alias.status, alias.body.code]).toEqual([422, 'idempotency-key-reused']);
      }
      const next = await cancel(order.userId, order.orderId, one, 'next');
      expect([next.status, next.body.version]).toEqual([200, 3]);
      expect(await counters(order)).toMatchObject({ available: 3 });
    });

    it('is a whole cancel when they are all that is left', async () => {
      const order = await givenOrderOf(3, 3);
      await cancel(order.userId, order.orderId, some(order.productId, 1), 'first');
      const rest = await cancel(order.userId, order.orderId, some(order.productId, 2), 'rest');
      expect(rest.body).toMatchObject({
        status: 'CANCELLED',
        inventoryStatus: 'RELEASED',
        items: [{ quantity: 3, cancelled: 3 }],
      });
      expect(await counters(order)).toMatchObject({ available: 3, records: 0 });
      const again = await cancel(order.userId, order.orderId, some(order.productId, 1), 'again');
      expect([again.status, again.body.version]).toEqual([200, 3]);
    });

    it('refuses more than the order has', async () => {
      const order = await givenOrderOf(3, 2);
      for (const body of [some(order.productId, 3), some(newId(), 1)]) {
        const answer = await cancel(order.userId, order.orderId, body, newId());
        expect([answer.status, answer.body.code]).toEqual([409, 'order-state-conflict']);
      }
      for (const body of [{ items: [] }, some(order.productId, 0)])
        expect((await cancel(order.userId, order.orderId, body)).status).toBe(400);
      expect(await counters(order)).toMatchObject({ available: 1, records: 1 });
    });
  });
});
