import { expect } from '@jest/globals';
import type { Mongo } from '@quicksale/shared/mongo';
import { amountDue, type Order } from '@quicksale/shared/orders';
import { createMongoPaymentStore } from '../src/payments/mongo-payment-store.ts';
import type { Stored } from '../src/payments/mongo-versioned-documents.ts';
import { capturedOf, keptOf, refundedOf } from '../src/payments/payment.ts';
import type { SimulatedPayment } from '../src/payments/simulator/simulated-payment.ts';

/** The provider's own books about an order. */
export const simulatedOf = (mongo: Mongo, orderId: string) =>
  mongo
    .db()
    .collection<Stored<SimulatedPayment>>('simulated-payments')
    .find({ paymentId: orderId })
    .toArray();

/** What the provider has of the buyer's money. */
async function heldByProvider(mongo: Mongo, orderId: string): Promise<number> {
  const found = await simulatedOf(mongo, orderId);
  return found.reduce((total, { amount, attempts, refunds }) => {
    const charges = attempts.filter(({ succeedsAt }) => succeedsAt && +succeedsAt <= Date.now());
    expect(charges.length).toBeLessThanOrEqual(1);
    const back = refunds.reduce((sum, one) => sum + one.amount, 0);
    return total + (charges.length > 0 ? amount : 0) - back;
  }, 0);
}

/**
 * Asserts that provider, payment and order agree to the cent: of an order that is paid just what it
 * costs is kept, less what was given of goodwill, and of one that is over or unpaid nothing.
 */
export async function expectOrderBalance(mongo: Mongo, order: Order): Promise<void> {
  const payment = await createMongoPaymentStore(mongo).find(order.id);
  const held = await heldByProvider(mongo, order.id);
  const isUnpaid = order.status === 'PENDING' || order.status === 'AWAITING_PAYMENT';
  const due = isUnpaid ? 0 : amountDue(order);
  const hasGoodwill = payment?.refunds.some(({ cause }) => cause === 'request');
  if (hasGoodwill) expect(held).toBeLessThanOrEqual(due);
  else expect([order.status, held]).toEqual([order.status, due]);
  expect(held).toBeGreaterThanOrEqual(0);
  expect(order).not.toHaveProperty('releasing');
  expect(order).not.toHaveProperty('repaying');
  if (!payment) return;
  expect(keptOf(payment)).toBe(held);
  expect(capturedOf(payment) - refundedOf(payment)).toBe(held);
  if (!isUnpaid) expect(payment).not.toHaveProperty('checkAt');
  const causes = order.history.flatMap(({ cause }) => cause ?? []);
  expect(new Set(causes).size).toBe(causes.length);
  if (payment.refunds.length === 0) return;
  const told = held === 0 ? 'REFUNDED' : 'PARTIALLY_REFUNDED';
  expect([order.id, order.paymentStatus]).toEqual([order.id, told]);
}
