import { expect } from '@jest/globals';
import { createMongoOrderStore, type Order } from '@quicksale/shared/orders';
import { newId } from '@quicksale/shared/testing';
import type supertest from 'supertest';
import { createMongoPaymentStore } from '../src/payments/mongo-payment-store.ts';
import type { Stored } from '../src/payments/mongo-versioned-documents.ts';
import type { Payment } from '../src/payments/payment.ts';
import type { SimulatedPayment } from '../src/payments/simulator/simulated-payment.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';
import { expectOrderBalance, simulatedOf } from './payment-books.ts';

export const price = 4999;

/** An order that waits for its money. */
export interface Unpaid {
  userId: string;
  orderId: string;
  saleId: string;
  productId: string;
}

export interface PaymentFixture extends OrderFixture {
  /** A sale whose orders have to be paid within this time. */
  givenSale(stock: number, holdMs?: number): Promise<{ productId: string; saleId: string }>;
  /** An order in it, with its payment opened. */
  givenOrder(
    sale: { productId: string; saleId: string },
    wish?: { quantity?: number; opens?: boolean },
  ): Promise<Unpaid>;
  post(path: string, token: string, body: object, key?: string): supertest.Test;
  confirm(order: Unpaid, method?: string, key?: string): supertest.Test;
  refund(order: Unpaid, body: object, key?: string): supertest.Test;
  get(path: string, token: string): supertest.Test;
  readOrder(order: Unpaid): Promise<Order>;
  readPayment(order: Unpaid): Promise<Payment>;
  simulated(order: Unpaid): Promise<Stored<SimulatedPayment>[]>;
  /** Asserts that provider, payment, order and ledger agree about every order of a sale. */
  expectBalance(sale: { productId: string; saleId: string }): Promise<void>;
}

/** order-service with the payment simulator on real stores. */
export async function startPayments(
  overrides: Readonly<Record<string, string>> = {},
): Promise<PaymentFixture> {
  const fixture = await startOrders({ SIMULATOR_DELAY_MS: '300', ...overrides });
  const payments = createMongoPaymentStore(fixture.mongo);
  const orders = createMongoOrderStore(fixture.mongo);

  const post: PaymentFixture['post'] = (path, token, body, key = newId()) =>
    fixture.request
      .post(path)
      .set('Authorization', `Bearer ${token}`)
      .set('Idempotency-Key', key)
      .send(body);

  const readOrder = async ({ orderId }: { orderId: string }) => {
    const [order] = await orders.findByIds([orderId]);
    if (!order) throw new Error(`no order ${orderId}`);
    return order;
  };

  return {
    ...fixture,
    post,
    readOrder,
    simulated: ({ orderId }) => simulatedOf(fixture.mongo, orderId),
    givenSale: (stock, holdMs = 600_000) => fixture.givenProduct(stock, { holdMs, opensAtMs: 1 }),
    givenOrder: async ({ productId, saleId }, { quantity = 1, opens = true } = {}) => {
      const userId = newId();
      const answer = await fixture.place({ userId, key: newId(), productId, quantity });
      expect(answer.status).toBe(201);
      const { _id: orderId } = (answer.body as { order: { _id: string } }).order;
      const order = { userId, orderId, saleId, productId };
      if (!opens) return order;
      const opened = await post('/api/payments/intent', `user-${userId}`, { orderId });
      expect([opened.status, opened.body.status]).toEqual([201, 'open']);
      return order;
    },
    confirm: ({ userId, orderId }, method = 'sim_ok', key) =>
      post('/api/payments/confirm', `user-${userId}`, { paymentId: orderId, method }, key),
    refund: ({ orderId, saleId }, body, key) =>
      // The fixture's products belong to a merchant of the sale's id.
      post(
        `/api/payments/${orderId}/refund`,
        `merchant-${saleId}`,
        { reason: 'broken', ...body },
        key,
      ),
    get: (path, token) => fixture.request.get(path).set('Authorization', `Bearer ${token}`),
    readPayment: async ({ orderId }) => {
      const payment = await payments.find(orderId);
      if (!payment) throw new Error(`no payment ${orderId}`);
      return payment;
    },
    expectBalance: async ({ saleId, productId }) => {
      const ids = (await fixture.orders(saleId)).map(({ _id }) => String(_id));
      const found = await orders.findByIds(ids);
      for (const order of found) await expectOrderBalance(fixture.mongo, order);
      const snapshot = await fixture.ledger.snapshot(saleId);
      if (typeof snapshot === 'string') throw new Error(snapshot);
      const line = snapshot.products[productId];
      if (!line) throw new Error('no such product');
      const inRecords = snapshot.records.flatMap((record) =>
        (record.units[productId] ?? []).map((unit) => `${saleId}:${productId}:${unit}`),
      );
      expect(line.available + inRecords.length + line.gone).toBe(line.last);
      const owned = found.flatMap(({ units }) => units ?? []);
      expect([...owned].sort()).toEqual([...inRecords].sort());
      const byId = new Map(found.map((order) => [order.id, order]));
      for (const { orderId, expiresAt } of snapshot.records)
        if (byId.get(orderId)?.status === 'CONFIRMED')
          expect([orderId, expiresAt]).toEqual([orderId, 0]);
    },
  };
}
