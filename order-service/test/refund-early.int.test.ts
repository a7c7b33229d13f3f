import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@quicksale/shared/testing';
import { price, startPayments, type PaymentFixture, type Unpaid } from './payment-fixture.ts';

jest.setTimeout(60_000);

let fixture: PaymentFixture;
let sale: { productId: string; saleId: string };
beforeAll(async () => {
  fixture = await startPayments();
  sale = await fixture.givenSale(100);
});
afterAll(async () => {
  await eventually(() => fixture.expectBalance(sale), 30_000);
  await fixture.stop();
});

const collection = (name: string) => fixture.mongo.db().collection<Record<string, unknown>>(name);
const documentOf = async ({ orderId }: Unpaid) => {
  const _id = new fixture.mongo.connection.base.mongo.ObjectId(orderId);
  const found = await collection('orders').findOne({ _id });
  if (!found) throw new Error('no order');
  return found;
};

/** The money is taken, and the process has died before it told the order. */
async function givenUntold(): Promise<Unpaid> {
  const order = await fixture.givenOrder(sale);
  const before = await documentOf(order);
  expect((await fixture.confirm(order)).status).toBe(200);
  const events = collection('payment-events');
  await eventually(async () =>
    expect(await events.findOne({ appliedAt: { $exists: true } })).not.toBeNull(),
  );
  await collection('orders').replaceOne({ _id: before._id }, before);
  await collection('payments').updateOne(
    { _id: order.orderId as never },
    { $set: { checkAt: new Date(Date.now() + 3_000), checks: 0 } },
  );
  return order;
}

describe('all the money of an order', () => {
  it('that has not learnt of it yet goes back, and the order ends', async () => {
    const order = await givenUntold();
    const answer = await fixture.refund(order, {});
    expect([answer.status, answer.body.refunded]).toEqual([200, price / 100]);
    await eventually(async () => {
      expect(await fixture.readPayment(order)).not.toHaveProperty('checkAt');
      expect(await fixture.readOrder(order)).toMatchObject({
        status: 'REFUNDED',
        paymentStatus: 'REFUNDED',
      });
    }, 15_000);
  });

  it('is kept but for the part that goes back before it has learnt of it', async () => {
    const order = await givenUntold();
    const answer = await fixture.refund(order, { amount: 10 });
    expect([answer.status, answer.body.refunded]).toEqual([200, 10]);
    expect(await fixture.readOrder(order)).toMatchObject({
      status: 'CONFIRMED',
      paymentStatus: 'PARTIALLY_REFUNDED',
    });
  });

  it('that goes back in two parts at the same time ends the order', async () => {
    const wire = price / 100;
    const order = await fixture.givenOrder(sale);
    expect((await fixture.confirm(order)).status).toBe(200);
    const parts = [10, Number((wire - 10).toFixed(2))];
    const answers = await Promise.all(parts.map((amount) => fixture.refund(order, { amount })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await eventually(async () => {
      expect(await fixture.readOrder(order)).toMatchObject({
        status: 'REFUNDED',
        paymentStatus: 'REFUNDED',
      });
    }, 15_000);
  });
});
