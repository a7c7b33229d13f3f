import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { price, startPayments, type PaymentFixture } from './payment-fixture.ts';

jest.setTimeout(60_000);

let fixture: PaymentFixture;
let sale: { productId: string; saleId: string };
beforeAll(async () => {
  fixture = await startPayments({ SIMULATOR_LATE_MS: '3000' });
  sale = await fixture.givenSale(1_000);
});
afterAll(async () => {
  await eventually(() => fixture.expectBalance(sale), 30_000);
  await fixture.stop();
});

const wire = price / 100;

describe('a payment', () => {
  it('is opened, paid and seen in the history', async () => {
    const order = await fixture.givenOrder(sale, { quantity: 2 });
    const again = await fixture.post('/api/payments/intent', `user-${order.userId}`, {
      orderId: order.orderId,
    });
    expect([again.status, again.body.amount]).toEqual([200, 2 * wire]);
    const paid = await fixture.confirm(order);
    expect(paid.status).toBe(200);
    expect(paid.body).toMatchObject({
      paymentId: order.orderId,
      status: 'succeeded',
      amount: 2 * wire,
      captured: 2 * wire,
      refunded: 0,
      currency: 'USD',
    });
    expect(await fixture.readOrder(order)).toMatchObject({
      status: 'CONFIRMED',
      paymentStatus: 'PAID',
    });
    const history = await fixture.get('/api/payments/history', `user-${order.userId}`);
    expect(history.status).toBe(200);
    expect(history.body).toMatchObject({ data: [paid.body], page: { next: null } });
    expect(await fixture.simulated(order)).toHaveLength(1);
  });

  it('answers the same under the same key, and takes the money once', async () => {
    const order = await fixture.givenOrder(sale);
    const first = await fixture.confirm(order, 'sim_ok', 'k');
    const second = await fixture.confirm(order, 'sim_ok', 'k');
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(second.text).toBe(first.text);
    const other = await fixture.confirm(order, 'sim_delayed', 'k');
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
    const anew = await fixture.confirm(order);
    expect([anew.status, anew.body.code]).toEqual([409, 'order-state-conflict']);
    const intent = await fixture.post('/api/payments/intent', `user-${order.userId}`, {
      orderId: order.orderId,
    });
    expect([intent.status, intent.body.code]).toEqual([409, 'order-state-conflict']);
  });

  it('that is declined may be tried again with another key', async () => {
    const order = await fixture.givenOrder(sale);
    const refused = await fixture.confirm(order, 'sim_insufficient_funds', 'k');
    expect([refused.status, refused.body.code, refused.body.declineCode]).toEqual([
      402,
      'payment-declined',
      'insufficient_funds',
    ]);
    expect((await fixture.readOrder(order)).paymentStatus).toBe('FAILED');
    const same = await fixture.confirm(order, 'sim_insufficient_funds', 'k');
    expect(same.text).toBe(refused.text);
    expect((await fixture.confirm(order, 'sim_ok')).status).toBe(200);
    expect((await fixture.readOrder(order)).paymentStatus).toBe('PAID');
  });

  it('is tried twenty times at most', async () => {
    const order = await fixture.givenOrder(sale);
    for (let attempt = 0; attempt < 20; attempt += 1)
      expect((await fixture.confirm(order, 'sim_declined')).status).toBe(402);
    const last = await fixture.confirm(order);
    expect([last.status, last.body.detail]).toEqual([409, expect.stringContaining('Too many')]);
  });

  it('that takes its time is finished by its webhook', async () => {
    const order = await fixture.givenOrder(sale);
    const answer = await fixture.confirm(order, 'sim_delayed');
    expect([answer.status, answer.body.status]).toEqual([202, 'processing']);
    const meanwhile = await fixture.confirm(order);
    expect([meanwhile.status, meanwhile.body.code]).toEqual([409, 'request-in-progress']);
    await eventually(async () =>
      expect((await fixture.readOrder(order)).paymentStatus).toBe('PAID'),
    );
  });

  it.each(['sim_duplicate', 'sim_webhook_first'])('by %s is taken once', async (method) => {
    const order = await fixture.givenOrder(sale);
    expect((await fixture.confirm(order, method)).status).toBe(200);
    const { history } = await fixture.readOrder(order);
    expect(history.filter(({ cause }) => cause === order.orderId)).toHaveLength(1);
  });

  it('whose answer got lost is finished by a repeat with the same key', async () => {
    const order = await fixture.givenOrder(sale);
    const lost = await fixture.confirm(order, 'sim_answer_lost', 'k');
    expect([lost.status, lost.body.code]).toEqual([503, 'dependency-unavailable']);
    expect((await fixture.confirm(order, 'sim_answer_lost', 'k')).status).toBe(200);
    expect((await fixture.readOrder(order)).paymentStatus).toBe('PAID');
    const [taken, ...others] = await fixture.simulated(order);
    expect([taken?.attempts.length, others]).toEqual([1, []]);
  });

  it('whose answer got lost is finished by nobody but the runner, too', async () => {
    const order = await fixture.givenOrder(sale);
    expect((await fixture.confirm(order, 'sim_answer_lost')).status).toBe(503);
    await eventually(
      async () => expect((await fixture.readOrder(order)).paymentStatus).toBe('PAID'),
      40_000,
    );
  });

  it('takes what the order costs at that time, never more', async () => {
    const order = await fixture.givenOrder(sale, { quantity: 3 });
    const items = [{ productId: order.productId, quantity: 1 }];
    const { userId, orderId } = order;
    const cancelled = await fixture.cancel({ userId, orderId, key: newId(), body: { items } });
    expect(cancelled.status).toBe(200);
    const paid = await fixture.confirm(order);
    expect([paid.status, paid.body.captured]).toEqual([200, 2 * wire]);
    const states = (await fixture.simulated(order)).map((one) => 'cancelledAt' in one);
    expect(states.sort()).toEqual([false, true]);
    // Of what is paid, a unit's price goes back.
    await fixture.cancel({ userId, orderId, key: newId(), body: { items } });
    expect(await fixture.readOrder(order)).toMatchObject({ paymentStatus: 'PARTIALLY_REFUNDED' });
    const history = await fixture.get('/api/payments/history', `user-${userId}`);
    expect(history.body.data[0]).toMatchObject({ captured: 2 * wire, refunded: wire });
    await fixture.cancel({ userId, orderId, key: newId() });
    expect(await fixture.readOrder(order)).toMatchObject({
      status: 'CANCELLED',
      paymentStatus: 'REFUNDED',
    });
  });

  it('that comes after the deadline goes back by itself', async () => {
    const hasty = await fixture.givenSale(1, 1_000);
    const order = await fixture.givenOrder(hasty);
    expect((await fixture.confirm(order, 'sim_late')).status).toBe(202);
    await eventually(async () => expect((await fixture.readOrder(order)).status).toBe('EXPIRED'));
    await eventually(async () => {
      expect((await fixture.readOrder(order)).paymentStatus).toBe('REFUNDED');
      await fixture.expectBalance(hasty);
    }, 30_000);
    const { refunds } = await fixture.readPayment(order);
    expect(refunds).toMatchObject([{ amount: price, reason: 'not paid in time' }]);
    const again = await fixture.confirm(order);
    expect([again.status, again.body.code]).toEqual([409, 'order-state-conflict']);
  });

  it('that is open when its order expires can be paid no more', async () => {
    const hasty = await fixture.givenSale(1, 1_000);
    const order = await fixture.givenOrder(hasty);
    await eventually(async () => {
      expect((await fixture.readOrder(order)).status).toBe('EXPIRED');
      expect(await fixture.simulated(order)).toMatchObject([{ cancelledAt: expect.any(Date) }]);
      await fixture.expectBalance(hasty);
    }, 30_000);
  });

  it('is nobody else’s business', async () => {
    const order = await fixture.givenOrder(sale);
    const stranger = { ...order, userId: newId() };
    expect((await fixture.confirm(stranger)).status).toBe(404);
    const old = '5'.repeat(24);
    const unknown = await fixture.post('/api/payments/intent', `user-${newId()}`, { orderId: old });
    expect(unknown.status).toBe(404);
    const young = await fixture.post('/api/payments/intent', `user-${stranger.userId}`, {
      orderId: order.orderId,
    });
    expect([young.status, young.body.code]).toEqual([503, 'order-being-recorded']);
    const history = await fixture.get('/api/payments/history', `user-${stranger.userId}`);
    expect(history.body.data).toEqual([]);
  });

  it('of an order without a payment step is refused', async () => {
    const product = await fixture.givenProduct(1);
    const order = await fixture.givenOrder(product, { opens: false });
    const { userId, orderId } = order;
    const answer = await fixture.post('/api/payments/intent', `user-${userId}`, { orderId });
    expect([answer.status, answer.body.code]).toEqual([409, 'order-state-conflict']);
  });

  it('of an order that costs nothing needs no provider', async () => {
    const free = await fixture.givenProduct(1, { holdMs: 600_000, opensAtMs: 1 });
    await fixture.putSale({
      ...{ saleId: free.saleId, settingsVersion: 2, holdMs: 600_000, opensAtMs: 1 },
      products: [{ productId: free.productId, price: 0, away: false }],
    });
    const order = await fixture.givenOrder(free, { opens: false });
    const { userId, orderId } = order;
    const answer = await fixture.post('/api/payments/intent', `user-${userId}`, { orderId });
    expect([answer.status, answer.body.status]).toEqual([201, 'succeeded']);
    expect((await fixture.readOrder(order)).paymentStatus).toBe('PAID');
    expect(await fixture.simulated(order)).toEqual([]);
    await fixture.expectBalance(free);
  });
});
