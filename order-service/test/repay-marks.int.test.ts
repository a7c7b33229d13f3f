import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { applyFact, createMongoOrderStore, type Fact, type Order } from '@quicksale/shared/orders';
import { eventually } from '@quicksale/shared/testing';
import { price, startPayments, type PaymentFixture, type Unpaid } from './payment-fixture.ts';

jest.setTimeout(60_000);

let fixture: PaymentFixture;
let sale: { productId: string; saleId: string };
beforeAll(async () => {
  fixture = await startPayments();
  sale = await fixture.givenSale(100);
});
afterAll(() => fixture.stop());

let heard = 0;

/** Writes a step as a process that dies right after it leaves it. */
async function write(order: Order, fact: Fact): Promise<void> {
  const outcome = applyFact(order, fact);
  if (outcome.kind !== 'changed') throw new Error(outcome.kind);
  const store = createMongoOrderStore(fixture.mongo);
  const { matched } = await store.applyChanges([{ id: order.id, change: outcome.change }]);
  expect(matched).toBe(1);
}

async function givenPaid(quantity: number): Promise<Unpaid> {
  const order = await fixture.givenOrder(sale, { quantity });
  expect((await fixture.confirm(order)).status).toBe(200);
  // The webhook looks at the order, too.
  const events = fixture.mongo.db().collection('payment-events');
  const before = heard;
  await eventually(async () => {
    heard = await events.countDocuments({ appliedAt: { $exists: true } });
    expect(heard).toBeGreaterThan(before);
  });
  return order;
}

describe('the mark of money that has to go back', () => {
  it('is not lost when the result of inventory-service comes after it', async () => {
    const order = await givenPaid(2);
    await write(await fixture.readOrder(order), {
      type: 'cancel',
      by: order.userId,
      units: [{ productId: order.productId, quantity: 1 }],
      at: new Date(),
    });
    const store = createMongoOrderStore(fixture.mongo);
    const { releasing = [], outbox = [] } = await fixture.readOrder(order);
    // The units and the event were quicker than the money.
    await fixture.ledger.release(order.saleId, [
      { orderId: order.orderId, units: { [order.productId]: [2] } },
    ]);
    await store.finishRelease([{ id: order.orderId, units: releasing }]);
    const told = outbox.flatMap(({ id, type }) => (type === 'order.status.v1' ? [id] : []));
    await store.pullOutbox([{ id: order.orderId, outboxIds: told }]);
    await write(await fixture.readOrder(order), {
      type: 'inventory-result',
      cause: 'result',
      outboxId: `${order.orderId}:1`,
      outcome: 'RESERVED',
      paymentRequired: true,
      at: new Date(),
    });
    await eventually(async () => {
      const { refunds } = await fixture.readPayment(order);
      expect(refunds).toMatchObject([{ amount: price, status: 'succeeded' }]);
      expect(await fixture.readOrder(order)).not.toHaveProperty('repaying');
    }, 20_000);
  });
});
