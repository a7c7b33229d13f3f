import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { startPayments, type PaymentFixture, type Unpaid } from './payment-fixture.ts';

jest.setTimeout(60_000);

let fixture: PaymentFixture;
let sale: { productId: string; saleId: string };
beforeAll(async () => {
  fixture = await startPayments();
  sale = await fixture.givenSale(100);
});
afterAll(() => fixture.stop());

/** As if the service had been started with another provider before. */
const moveToStripe = async ({ orderId }: Unpaid) => {
  const payments = fixture.mongo.db().collection('payments');
  const { intents } = await fixture.readPayment({ orderId } as Unpaid);
  await payments.updateOne(
    { _id: orderId as never },
    {
      $set: {
        provider: 'stripe',
        intents: intents.map((one) => ({ ...one, id: `pi_${newId()}` })),
      },
    },
  );
};

describe('a payment of a provider that is not in use', () => {
  it('cannot be paid now', async () => {
    const order = await fixture.givenOrder(sale);
    await moveToStripe(order);
    const answer = await fixture.confirm(order);
    expect([answer.status, answer.body.code]).toEqual([503, 'dependency-unavailable']);
    expect((await fixture.readPayment(order)).status).toBe('open');
  });

  it('goes back later', async () => {
    const order = await fixture.givenOrder(sale);
    expect((await fixture.confirm(order)).status).toBe(200);
    await moveToStripe(order);
    const answer = await fixture.refund(order, { amount: 10 });
    expect([answer.status, answer.body.code]).toEqual([503, 'dependency-unavailable']);
  });
});
