import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { makeDue } from './make-due.ts';
import type { OrderClient } from './order-fixture.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import { expectOrderBalance } from './payment-books.ts';
import { startPayments, type PaymentFixture, type Unpaid } from './payment-fixture.ts';
import { startTokenIssuer } from './token-issuer.ts';

jest.setTimeout(120_000);

let fixture: PaymentFixture;
let issuer: Awaited<ReturnType<typeof startTokenIssuer>>;
const running: { stop(): Promise<void> }[] = [];
beforeAll(async () => {
  // Repairs nothing itself: that is for the process that comes next.
  fixture = await startPayments({
    QUICKSALE_REPAIRS_OFF: 'payment-check,expiry-sweep,outbox-scan',
    SIMULATOR_WEBHOOK_URL: 'http://127.0.0.1:9/nobody',
  });
  issuer = await startTokenIssuer();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});
afterAll(async () => {
  await issuer?.stop();
  await fixture?.stop();
});

/** A process that kills itself at this point. */
async function startDoomed(point: string): Promise<OrderProcess> {
  const started = await startOrderProcess({
    NAMESPACE: fixture.namespace,
    INTERNAL_KEY: 'an internal key of a test',
    JWKS_URL: issuer.jwksUrl,
    // What a dead process had to tell is not told by anybody.
    SIMULATOR_WEBHOOK_URL: 'http://127.0.0.1:9/nobody',
    QUICKSALE_FAULT: point,
  });
  running.push(started);
  return started;
}

/** Whoever comes after it, with all repairs but these. */
async function startNext(repairsOff = ''): Promise<OrderClient> {
  const started = await fixture.startTwin({ QUICKSALE_REPAIRS_OFF: repairsOff });
  running.push(started);
  return started;
}

const ask = ({ url }: OrderProcess, { userId }: Unpaid, path: string, key: string, body?: object) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${issuer.tokenOf(userId)}`,
      'idempotency-key': key,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });

const pay = (by: OrderProcess, order: Unpaid, key: string) =>
  ask(by, order, '/api/payments/confirm', key, { paymentId: order.orderId, method: 'sim_ok' });

/** What the crash left, so that a fault point in a wrong place is noticed. */
async function left(order: Unpaid) {
  const { status, paymentStatus } = await fixture.readOrder(order);
  const payment = await fixture.readPayment(order);
  const [simulated] = await fixture.simulated(order);
  return {
    order: `${status}/${paymentStatus}`,
    payment: payment.status,
    charged: simulated?.attempts.length,
    refunds: payment.refunds.map((refund) => refund.status),
    sentBack: simulated?.refunds.length,
  };
}

async function deadlineOf({ saleId, orderId }: Unpaid): Promise<number | undefined> {
  const snapshot = await fixture.ledger.snapshot(saleId);
  if (typeof snapshot === 'string') throw new Error(snapshot);
  return snapshot.records.find((record) => record.orderId === orderId)?.expiresAt;
}

const none = { refunds: [], sentBack: 0 };
const paying = {
  'after-charge': { order: 'PENDING/PENDING', payment: 'confirming', charged: 1, ...none },
  'after-capture-written': { order: 'PENDING/PENDING', payment: 'succeeded', charged: 1, ...none },
  'after-pay-written': { order: 'CONFIRMED/PAID', payment: 'succeeded', charged: 1, ...none },
} as const;
const payingPoints = ['after-charge', 'after-capture-written', 'after-pay-written'] as const;

/** A buyer pays, and the process dies on the way. */
async function dieAt(point: keyof typeof paying, holdMs?: number) {
  // First, since it may take longer to start than the order waits for its money.
  const doomed = await startDoomed(point);
  const sale = await fixture.givenSale(5, holdMs);
  const order = await fixture.givenOrder(sale);
  await expect(pay(doomed, order, 'k')).rejects.toThrow();
  expect(await doomed.ended).toBe('SIGKILL');
  expect(await left(order)).toEqual(paying[point]);
  expect(await deadlineOf(order)).toBeGreaterThan(0);
  return { sale, order };
}

async function expectPaidOnce({ sale, order }: Awaited<ReturnType<typeof dieAt>>) {
  expect(await left(order)).toEqual({ ...paying['after-pay-written'] });
  expect(await deadlineOf(order)).toBe(0);
  await fixture.expectBalance(sale);
}

describe('a payment whose process is killed', () => {
  it.each(payingPoints)('%s: is finished when it is asked for again', async (point) => {
    const doomed = await dieAt(point);
    // Neither the runner nor a sweep has a part in it.
    const next = await startNext('payment-check,expiry-sweep');
    const { userId, orderId: paymentId } = doomed.order;
    // As if the dead one's lease of the key had ended.
    await fixture.mongo
      .db()
      .collection('idempotency')
      .updateMany({ state: 'in-progress' }, { $set: { leaseEndsAt: new Date(0) } });
    const answer = await eventually(async () => {
      const one = await next.request
        .post('/api/payments/confirm')
        .set('Authorization', `Bearer user-${userId}`)
        .set('Idempotency-Key', 'k')
        .send({ paymentId, method: 'sim_ok' });
      expect(one.status).toBe(200);
      return one;
    }, 30_000);
    expect(answer.body).toMatchObject({ status: 'succeeded', captured: 49.99 });
    if (point !== 'after-pay-written') await expectPaidOnce(doomed);
  });

  it.each(['after-charge', 'after-capture-written'] as const)(
    '%s: is finished by the runner of the process that comes next, unasked',
    async (point) => {
      const doomed = await dieAt(point);
      await makeDue(fixture, doomed.order.saleId);
      await startNext();
      await eventually(() => expectPaidOnce(doomed), 40_000);
    },
  );

  it('row 13: after-pay-written: the sweep settles it at its deadline and never releases', async () => {
    const doomed = await dieAt('after-pay-written', 3_000);
    await startNext('payment-check');
    await eventually(async () => expect(await deadlineOf(doomed.order)).toBe(0), 40_000);
    expect(await left(doomed.order)).toEqual(paying['after-pay-written']);
  });

  it('after-capture-written: and whose order expires meanwhile, is paid back', async () => {
    const { sale, order } = await dieAt('after-capture-written', 3_000);
    await startNext('payment-check');
    await eventually(async () => expect((await left(order)).order).toBe('EXPIRED/PENDING'), 40_000);
    await makeDue(fixture, order.saleId);
    await startNext();
    await eventually(async () => {
      expect(await left(order)).toEqual({
        ...{ order: 'EXPIRED/REFUNDED', payment: 'succeeded', charged: 1 },
        ...{ refunds: ['succeeded'], sentBack: 1 },
      });
      await fixture.expectBalance(sale);
    }, 40_000);
  });
});

const refunding = {
  'after-cancel-written': { refunds: [], sentBack: 0 },
  'after-refund-entry': { refunds: ['pending'], sentBack: 0 },
  'after-refund-sent': { refunds: ['pending'], sentBack: 1 },
} as const;

describe('a refund whose process is killed', () => {
  it.each(['after-cancel-written', 'after-refund-entry', 'after-refund-sent'] as const)(
    '%s: goes back once',
    async (point) => {
      const sale = await fixture.givenSale(5);
      const order = await fixture.givenOrder(sale);
      expect((await fixture.confirm(order)).status).toBe(200);
      const doomed = await startDoomed(point);
      const cancel = `/api/orders/${order.orderId}/cancel`;
      await expect(ask(doomed, order, cancel, newId(), {})).rejects.toThrow();
      expect(await doomed.ended).toBe('SIGKILL');
      expect(await left(order)).toMatchObject({ order: 'CANCELLED/PAID', ...refunding[point] });
      await makeDue(fixture, order.saleId);
      await startNext();
      await eventually(async () => {
        expect(await left(order)).toMatchObject({
          order: 'CANCELLED/REFUNDED',
          ...{ refunds: ['succeeded'], sentBack: 1 },
        });
        await expectOrderBalance(fixture.mongo, await fixture.readOrder(order));
      }, 40_000);
    },
  );
});
