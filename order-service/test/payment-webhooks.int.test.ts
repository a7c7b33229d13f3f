import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { signWebhook } from '../src/payments/simulator/webhook-signature.ts';
import { expectOrderBalance } from './payment-books.ts';
import { startPayments, type PaymentFixture, type Unpaid } from './payment-fixture.ts';

jest.setTimeout(60_000);

/** As the service makes it of the fixture's internal key. */
const secret = createHmac('sha256', 'an internal key of a test')
  .update('simulated webhooks')
  .digest('hex');

let fixture: PaymentFixture;
let sale: { productId: string; saleId: string };
beforeAll(async () => {
  // Nobody else tells of a payment, and nobody looks by himself.
  fixture = await startPayments({
    QUICKSALE_REPAIRS_OFF: 'payment-check',
    SIMULATOR_WEBHOOK_URL: 'http://127.0.0.1:9/nobody',
  });
  sale = await fixture.givenSale(1_000);
});
afterAll(() => fixture?.stop());

/** Money that only the provider knows of. */
async function givenLateMoney(): Promise<Unpaid> {
  const order = await fixture.givenOrder(sale);
  expect((await fixture.confirm(order, 'sim_answer_lost')).status).toBe(503);
  return order;
}

const newsOf = async (order: Unpaid, id = newId()) => {
  const [intent] = await fixture.simulated(order);
  const event = { id, type: 'intent', intentId: String(intent?._id), paymentId: order.orderId };
  return Buffer.from(JSON.stringify(event));
};

const send = (body: Buffer, signature: string | undefined, provider = 'simulator') =>
  fixture.request
    .post(`/api/payments/webhook/${provider}`)
    .set(signature === undefined ? {} : { 'simulator-signature': signature })
    .set('content-type', 'application/json; charset=utf-8')
    .send(body.toString());

const statusOf = async (order: Unpaid) => (await fixture.readOrder(order)).paymentStatus;

const events = () => fixture.mongo.db().collection<{ _id: string }>('payment-events');

describe('a webhook', () => {
  it('brings in money that nobody here knew of, once', async () => {
    const order = await givenLateMoney();
    const body = await newsOf(order);
    const signature = signWebhook(secret, body, Date.now());
    for (let time = 0; time < 3; time += 1) {
      const answer = await send(body, signature);
      expect([answer.status, answer.body]).toEqual([200, { received: true }]);
    }
    const { history, paymentStatus } = await fixture.readOrder(order);
    expect(paymentStatus).toBe('PAID');
    expect(history.filter(({ cause }) => cause === order.orderId)).toHaveLength(1);
    const { id } = JSON.parse(body.toString()) as { id: string };
    const stored = await events()
      .find({ _id: `simulator:${id}` })
      .toArray();
    expect(stored).toEqual([expect.objectContaining({ appliedAt: expect.any(Date) })]);
  });

  it.each([
    ['has no signature', () => undefined],
    ['has a signature of another form', () => 'v1=abc'],
    ['is signed with another key', (body: Buffer) => signWebhook('other', body, Date.now())],
    [
      'is older than five minutes',
      (body: Buffer) => signWebhook(secret, body, Date.now() - 301_000),
    ],
    ['comes from the future', (body: Buffer) => signWebhook(secret, body, Date.now() + 301_000)],
    [
      'has the signature of another body',
      (body: Buffer) => signWebhook(secret, Buffer.concat([body, Buffer.from(' ')]), Date.now()),
    ],
    [
      'has another time than was signed',
      (body: Buffer) =>
        signWebhook(secret, body, Date.now()).replace(
          /^t=\d+/,
          `t=${Math.floor(Date.now() / 1000) + 1}`,
        ),
    ],
  ])('that %s is refused, and nothing happens', async (_what, sign) => {
    const order = await givenLateMoney();
    const body = await newsOf(order);
    const answer = await send(body, sign(body));
    expect([answer.status, answer.body.code]).toEqual([401, 'webhook-signature-invalid']);
    expect(await statusOf(order)).toBe('PENDING');
  });

  it('is not believed when it names amounts', async () => {
    const order = await fixture.givenOrder(sale);
    const body = Buffer.from(
      JSON.stringify({
        ...(JSON.parse((await newsOf(order)).toString()) as object),
        ...{ status: 'succeeded', amount: 1_000_000, captured: 1_000_000 },
      }),
    );
    expect((await send(body, signWebhook(secret, body, Date.now()))).status).toBe(200);
    expect(await statusOf(order)).toBe('PENDING');
    expect((await fixture.readPayment(order)).intents).toMatchObject([{ captured: 0 }]);
  });

  it('of which the process died is applied when it comes again', async () => {
    const order = await givenLateMoney();
    const id = newId();
    await events().insertOne({ _id: `simulator:${id}`, receivedAt: new Date() } as { _id: string });
    const body = await newsOf(order, id);
    expect((await send(body, signWebhook(secret, body, Date.now()))).status).toBe(200);
    expect(await statusOf(order)).toBe('PAID');
  });

  it('tells of money for an order that is over: it goes back by itself', async () => {
    const order = await givenLateMoney();
    const { userId, orderId } = order;
    expect((await fixture.cancel({ userId, orderId, key: newId() })).status).toBe(200);
    const body = await newsOf(order);
    expect((await send(body, signWebhook(secret, body, Date.now()))).status).toBe(200);
    expect(await fixture.readOrder(order)).toMatchObject({
      status: 'CANCELLED',
      paymentStatus: 'REFUNDED',
    });
    await expectOrderBalance(fixture.mongo, await fixture.readOrder(order));
  });

  it('of an intent that a dead process never wrote down is taken for what it is', async () => {
    const order = await givenLateMoney();
    const [intent] = await fixture.simulated(order);
    await fixture.mongo
      .db()
      .collection<{ _id: string }>('payments')
      .updateOne({ _id: order.orderId }, { $set: { intents: [], status: 'open' } });
    const body = await newsOf(order);
    expect((await send(body, signWebhook(secret, body, Date.now()))).status).toBe(200);
    expect(await statusOf(order)).toBe('PAID');
    expect((await fixture.readPayment(order)).intents).toMatchObject([{ id: String(intent?._id) }]);
  });

  it('of something unknown is received and logged', async () => {
    for (const event of [
      { id: newId(), type: 'intent', intentId: 'sim_unknown', paymentId: newId() },
      { id: newId(), type: 'intent', intentId: 'sim_unknown' },
      { id: newId(), type: 'other' },
    ]) {
      const body = Buffer.from(JSON.stringify(event));
      const answer = await send(body, signWebhook(secret, body, Date.now()));
      expect([answer.status, answer.body]).toEqual([200, { received: true }]);
    }
    expect(fixture.lines.filter((line) => line.includes('unknown payment'))).toHaveLength(2);
  });

  it('of a provider that is not in use is not there, and a huge or packed one is refused', async () => {
    const body = Buffer.from('{}');
    const signature = signWebhook(secret, body, Date.now());
    expect((await send(body, signature, 'paypal')).status).toBe(404);
    expect((await send(Buffer.alloc(20_000, ' '), signature)).status).toBe(413);
    expect((await send(body, signature).set('Content-Encoding', 'gzip')).status).toBe(415);
    const empty = Buffer.alloc(0);
    expect((await send(empty, signWebhook(secret, empty, Date.now()))).status).toBe(400);
  });
});
