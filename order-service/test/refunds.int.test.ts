import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { price, startPayments, type PaymentFixture, type Unpaid } from './payment-fixture.ts';

jest.setTimeout(60_000);

let fixture: PaymentFixture;
let sale: { productId: string; saleId: string };
beforeAll(async () => {
  fixture = await startPayments();
  sale = await fixture.givenSale(1_000);
});
afterAll(async () => {
  await eventually(() => fixture.expectBalance(sale), 30_000);
  await fixture.stop();
});

const wire = price / 100;

async function givenPaid(quantity = 1): Promise<Unpaid> {
  const order = await fixture.givenOrder(sale, { quantity });
  expect((await fixture.confirm(order)).status).toBe(200);
  return order;
}

const refundAs = (token: string, order: Unpaid) =>
  fixture.post(`/api/payments/${order.orderId}/refund`, token, { reason: 'broken' });

describe('a refund', () => {
  it.each(['merchant', 'support', 'admin'])('of all of it is given by %s', async (role) => {
    const order = await givenPaid(2);
    const by = role === 'merchant' ? order.saleId : newId();
    const answer = await refundAs(`${role}-${by}`, order);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      captured: 2 * wire,
      refunded: 2 * wire,
      refunds: [{ amount: 2 * wire, status: 'succeeded' }],
    });
    const { units: _, ...after } = await fixture.readOrder(order);
    expect(after).toMatchObject({
      status: 'REFUNDED',
      inventoryStatus: 'RELEASED',
      paymentStatus: 'REFUNDED',
    });
    expect(after.history.find(({ to }) => to === 'REFUNDED')).toMatchObject({
      by,
      reason: 'broken',
    });
  });

  it('is not given by buyers, nor by other merchants', async () => {
    const order = await givenPaid();
    expect((await refundAs(`user-${order.userId}`, order)).status).toBe(403);
    expect((await refundAs(`merchant-${newId()}`, order)).status).toBe(404);
    expect((await refundAs(`support-${newId()}`, { ...order, orderId: newId() })).status).toBe(404);
    expect((await fixture.readOrder(order)).paymentStatus).toBe('PAID');
  });

  it('of a part leaves the order as it is; of all the rest it ends it', async () => {
    const order = await givenPaid();
    const part = await fixture.refund(order, { amount: 10.5 }, 'k');
    expect([part.status, part.body.refunded]).toEqual([200, 10.5]);
    expect((await fixture.refund(order, { amount: 10.5 }, 'k')).text).toBe(part.text);
    const reused = await fixture.refund(order, { amount: 11 }, 'k');
    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency-key-reused']);
    expect(await fixture.readOrder(order)).toMatchObject({
      status: 'CONFIRMED',
      paymentStatus: 'PARTIALLY_REFUNDED',
    });
    const tooMuch = await fixture.refund(order, { amount: wire });
    expect([tooMuch.status, tooMuch.body.code]).toEqual([409, 'order-state-conflict']);
    expect(tooMuch.body.detail).toContain((wire - 10.5).toFixed(2));
    const rest = await fixture.refund(order, { amount: Number((wire - 10.5).toFixed(2)) });
    expect([rest.status, rest.body.refunded]).toEqual([200, wire]);
    expect(await fixture.readOrder(order)).toMatchObject({
      status: 'REFUNDED',
      paymentStatus: 'REFUNDED',
    });
    const more = await fixture.refund(order, {});
    expect([more.status, more.body.code]).toEqual([409, 'order-state-conflict']);
  });

  it('of what was never paid is refused', async () => {
    const order = await fixture.givenOrder(sale);
    const answer = await fixture.refund(order, {});
    expect([answer.status, answer.body.code]).toEqual([409, 'order-state-conflict']);
    expect((await fixture.refund(order, { amount: 0 })).status).toBe(400);
    expect((await fixture.refund(order, { amount: 1, to: 'me' })).status).toBe(400);
  });

  it('that the provider refuses for good stays in sight, and is nobody’s loop', async () => {
    const order = await givenPaid();
    // Somebody has sent it back by the provider's own pages.
    const [intent] = await fixture.simulated(order);
    await fixture.mongo
      .db()
      .collection<{ _id: string }>('simulated-payments')
      .updateOne({ _id: String(intent?._id) }, { $set: { refunds: [{ id: 'x', amount: price }] } });
    const answer = await fixture.refund(order, {});
    expect([answer.status, answer.body.refunds]).toEqual([
      200,
      [expect.objectContaining({ status: 'failed', amount: wire })],
    ]);
    expect(fixture.lines.some((line) => line.includes('refused for good'))).toBe(true);
    const payment = await fixture.readPayment(order);
    expect(payment.refunds).toHaveLength(1);
    expect(payment).not.toHaveProperty('checkAt');
    expect(await fixture.readOrder(order)).not.toHaveProperty('repaying');
    // For the books at the end: this one is settled by hand.
    const { db } = fixture.mongo;
    await db().collection<{ _id: string }>('payments').deleteOne({ _id: order.orderId });
  });
});

describe('stored methods', () => {
  const methods = '/api/payments/methods';

  it('are tokens of the provider, and pay', async () => {
    const order = await fixture.givenOrder(sale);
    const token = `user-${order.userId}`;
    const stored = await fixture.post(methods, token, { token: 'sim_ok' });
    expect([stored.status, stored.body]).toEqual([
      201,
      { id: expect.any(String), brand: 'simulator', last4: '0000', createdAt: expect.any(String) },
    ]);
    expect((await fixture.post(methods, token, { token: 'sim_ok' })).body).toEqual(stored.body);
    const list = await fixture.get(methods, token);
    expect([list.status, list.body]).toEqual([200, { data: [stored.body] }]);
    const id = String((stored.body as { id: string }).id);
    const stranger = await fixture.givenOrder(sale);
    expect((await fixture.confirm(stranger, id)).status).toBe(404);
    expect((await fixture.confirm(order, id)).status).toBe(200);
    const remove = (who: string) =>
      fixture.request.delete(`${methods}/${id}`).set('Authorization', `Bearer ${who}`);
    expect((await remove(`user-${newId()}`)).status).toBe(404);
    expect((await remove(token)).status).toBe(204);
    expect((await remove(token)).status).toBe(404);
    expect((await fixture.get(methods, token)).body).toEqual({ data: [] });
  });

  it.each([
    { token: '4242424242424242' },
    { token: '4242-4242-4242-4242' },
    { token: '4242 4242 4242 4242' },
    { token: 'sim_ok', number: '4242424242424242' },
    { token: 'sim_ok', cvc: '123' },
    { token: 'unknown' },
    {},
  ])('take nothing else: %j', async (body) => {
    const answer = await fixture.post(methods, `user-${newId()}`, body);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation-failed']);
    expect(answer.text).not.toContain('4242');
  });

  it('are twenty at most, also when all come at once', async () => {
    const userId = newId();
    const collection = fixture.mongo.db().collection<{ _id: string }>('payment-methods');
    const place = (n: number) => ({ _id: newId(), userId, token: `t${n}`, place: n });
    await collection.insertMany(Array.from({ length: 19 }, (_, n) => place(n)));
    const answers = await Promise.all(
      ['sim_ok', 'sim_late', 'sim_delayed', 'sim_declined'].map((token) =>
        fixture.post(methods, `user-${userId}`, { token }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400]);
    expect(await collection.countDocuments({ userId })).toBe(20);
  });
});
