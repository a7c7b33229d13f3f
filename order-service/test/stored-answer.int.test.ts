import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { idempotencyDigest } from '@quicksale/shared/idempotency';
import { newId } from '@quicksale/shared/testing';
import { startOrders, type OrderClient, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(30_000);

/** Cancelling answers from what is kept under its key; whatever happens to the order afterwards. */
describe('an answer that is kept under its key', () => {
  let fixture: OrderFixture;
  let twin: OrderClient;
  beforeAll(async () => {
    fixture = await startOrders();
    twin = await fixture.startTwin();
  }, 60_000);
  afterAll(() => fixture?.stop());

  async function givenOrder(quantity = 1) {
    const sale = await fixture.givenProduct(quantity);
    const userId = newId();
    const wanted = { userId, key: 'k', productId: sale.productId, quantity };
    const { body } = await fixture.place(wanted).expect(201);
    return { ...sale, userId, orderId: body.order._id as string };
  }

  interface AnswerRecord {
    _id: string;
    state: string;
    attempt?: string;
    leaseEndsAt?: Date;
  }
  const records = () => fixture.mongo.db().collection<AnswerRecord>('idempotency');
  const digestOf = (userId: string, key: string) =>
    idempotencyDigest({ userId, route: 'POST /api/orders/:id/cancel', key });
  const orderDocuments = () => fixture.mongo.db().collection('orders');

  it('is the same to the byte when the order has changed since, on every service', async () => {
    const order = await givenOrder(2);
    const one = { items: [{ productId: order.productId, quantity: 1 }] };
    const first = await fixture.cancel({ ...order, key: 'c', body: one });
    expect([first.status, first.body.version]).toEqual([200, 2]);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    await fixture.cancel({ ...order, key: 'rest' }).expect(200);
    for (const client of [fixture, twin]) {
      const again = await client.cancel({ ...order, key: '"c"', body: one });
      expect([again.status, again.text]).toEqual([200, first.text]);
      expect(again.headers['idempotent-replayed']).toBe('true');
      for (const name of ['etag', 'content-type', 'cache-control'])
        expect(again.headers[name]).toBe(first.headers[name]);
    }
  });

  it('is a refusal, too, when that was final', async () => {
    const order = await givenOrder();
    await orderDocuments().updateOne({ saleId: order.saleId }, { $set: { status: 'SHIPPED' } });
    const first = await fixture.cancel({ ...order, key: 'c' });
    expect([first.status, first.body.code]).toEqual([409, 'order-state-conflict']);
    await orderDocuments().updateOne({ saleId: order.saleId }, { $set: { status: 'PENDING' } });
    const again = await twin.cancel({ ...order, key: 'c' });
    expect([again.status, again.text]).toEqual([409, first.text]);
    expect(again.headers['content-type']).toBe(first.headers['content-type']);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect((await fixture.cancel({ ...order, key: 'next' })).body.status).toBe('CANCELLED');
  });

  it('is not given to another body, another order or another user; another route has its own', async () => {
    const order = await givenOrder();
    const other = await fixture.place({ ...order, key: 'c' });
    expect(other.body.code).toBe('sold-out');
    await fixture.cancel({ ...order, key: 'c' }).expect(200);
    const second = await fixture.place({ ...order, key: 'c' }).expect(201);
    for (const wrong of [
      { ...order, key: 'c', body: { reason: 'too dear' } },
      { ...order, orderId: second.body.order._id as string, key: 'c' },
    ]) {
      const refused = await fixture.cancel(wrong);
      expect([refused.status, refused.body.code]).toEqual([422, 'idempotency-key-reused']);
    }
    const stranger = await fixture.cancel({ ...order, userId: newId(), key: 'c' });
    expect(stranger.text).not.toContain(order.userId);
    expect(stranger.headers['idempotent-replayed']).toBeUndefined();
    const alias = await fixture.request
      .delete(`/api/orders/${order.orderId}`)
      .set('Authorization', `Bearer user-${order.userId}`)
      .set('Idempotency-Key', 'c')
      .expect(200);
    expect(alias.headers['idempotent-replayed']).toBe('true');
  });

  it('is not kept of what may be asked again: 400, 404', async () => {
    const order = await givenOrder();
    await fixture.cancel({ ...order, key: 'c', body: { items: [] } }).expect(400);
    await fixture.cancel({ ...order, orderId: '0'.repeat(24), key: 'c' }).expect(404);
    expect(await records().countDocuments({ _id: digestOf(order.userId, 'c') })).toBe(0);
    await fixture.cancel({ ...order, key: 'c' }).expect(200);
    expect(await records().countDocuments({ _id: digestOf(order.userId, 'c') })).toBe(1);
  });

  it('needs a key', async () => {
    const order = await givenOrder();
    for (const send of [
      fixture.request.post(`/api/orders/${order.orderId}/cancel`),
      fixture.request.delete(`/api/orders/${order.orderId}`),
    ]) {
      const refused = await send.set('Authorization', `Bearer user-${order.userId}`);
      expect([refused.status, refused.body.code]).toEqual([400, 'idempotency-key-required']);
    }
  });

  it('is one for fifty twins on two services', async () => {
    const order = await givenOrder(4);
    const one = { items: [{ productId: order.productId, quantity: 1 }] };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (n % 2 ? twin : fixture).cancel({ ...order, key: 'c', body: one }),
      ),
    );
    // Whoever has waited too long on a busy machine is told to come again.
    const late = answers.filter((answer) => answer.status === 409);
    for (const answer of late) {
      expect(answer.body.code).toBe('request-in-progress');
      expect(answer.headers['retry-after']).toBe('1');
    }
    const said = answers.filter((answer) => answer.status === 200);
    expect(said.length + late.length).toBe(50);
    expect(new Set(said.map((answer) => answer.text)).size).toBe(1);
    expect(said.filter((answer) => !answer.headers['idempotent-replayed'])).toHaveLength(1);
    const stored = await orderDocuments().findOne({ saleId: order.saleId });
    expect(stored).toMatchObject({ version: 2 });
  });

  it('is waited for while a twin is at it, and made anew after one that died', async () => {
    const order = await givenOrder(2);
    const one = { items: [{ productId: order.productId, quantity: 1 }] };
    const first = await fixture.cancel({ ...order, key: 'c', body: one }).expect(200);
    // As a process leaves it that dies between the change and the answer.
    const _id = digestOf(order.userId, 'c');
    const inProgress = { state: 'in-progress', attempt: 'a dead process' };
    const leaseEndsAt = new Date(Date.now() + 60_000);
    await records().updateOne(
      { _id },
      { $set: { ...inProgress, leaseEndsAt }, $unset: { answer: 1 } },
    );
    const waiting = await twin.cancel({ ...order, key: 'c', body: one });
    expect([waiting.status, waiting.body.code]).toEqual([409, 'request-in-progress']);
    expect(waiting.headers['retry-after']).toBe('1');
    await records().updateOne({ _id }, { $set: { leaseEndsAt: new Date(Date.now() - 1) } });
    const again = await twin.cancel({ ...order, key: 'c', body: one });
    // Executed again, without a further effect.
    expect([again.status, again.text]).toEqual([200, first.text]);
    expect(again.headers['idempotent-replayed']).toBeUndefined();
    expect(await records().findOne({ _id })).toMatchObject({ state: 'finished' });
  });
});
