import { describe, expect, it } from '@jest/globals';
import { givenHold, newId } from '../testing/orders.ts';
import { applyFact } from './apply-fact.ts';
import { holdFromOrder } from './hold-from-order.ts';
import { orderFromHold } from './order-from-hold.ts';

describe('the order of a hold', () => {
  it('of a buyer waits for its confirmation and is announced', () => {
    const { saleId, record } = givenHold({ units: [1, 2] });
    expect(orderFromHold(record, saleId)).toMatchObject({
      kind: 'order',
      status: 'PENDING',
      inventoryStatus: 'PENDING',
      totalAmount: 9998,
      outbox: [{ id: `${record.orderId}:1`, type: 'order.created.v1' }],
    });
  });

  it('of the house is over at once: no price, no event, units that have still to leave', () => {
    const [productId, by, to] = [newId(), newId(), newId()];
    const house = { by, reason: 'allotment', to };
    const { saleId, record } = givenHold({ productId, units: [4, 7], house });
    const order = orderFromHold(record, saleId);
    const units = [`${saleId}:${productId}:4`, `${saleId}:${productId}:7`];
    const at = new Date(record.at);
    expect(order).toMatchObject({
      id: record.orderId,
      kind: 'house',
      userId: record.userId,
      status: 'DELIVERED',
      inventoryStatus: 'SOLD',
      paymentStatus: 'NONE',
      version: 1,
      history: [{ version: 1, from: null, to: 'DELIVERED', at, by, reason: 'allotment' }],
      items: [{ productId, unitPrice: 0, quantity: 2 }],
      subtotal: 0,
      totalAmount: 0,
      units,
      shipping: units,
      to,
      expiresAt: null,
      outboxAt: new Date(record.at + 5_000),
    });
    expect(order).not.toHaveProperty('outbox');
  });

  it('of the house moves nowhere unless it says so', () => {
    const { saleId, record } = givenHold({ house: { by: newId(), reason: 'damage' } });
    expect(orderFromHold(record, saleId)).not.toHaveProperty('to');
  });

  it('is none for a record that does not say enough', () => {
    const { saleId, record } = givenHold();
    expect(() => orderFromHold({ ...record, kind: 'house' }, saleId)).toThrow('what the house');
    expect(() => orderFromHold({ ...record, kind: 'bare' }, saleId)).toThrow('no order');
  });
});

describe('the hold of an order', () => {
  it('gives the same order again, deadline, addresses and all', () => {
    for (const expiresAt of [0, 1_800_000_000_000]) {
      const { saleId, record } = givenHold({ units: [3, 9] });
      const order = orderFromHold({ ...record, expiresAt }, saleId);
      const back = holdFromOrder(order, 7);
      expect(back).toMatchObject({ epoch: 7, expiresAt, units: record.units });
      expect(orderFromHold(back, saleId)).toEqual(order);
    }
  });

  it('keeps whose the products are and the terms that the order was made under', () => {
    const { saleId, record } = givenHold({ units: [3, 9] });
    const pricing = {
      taxRate: 1_900,
      shipping: { flat: 490, freeFrom: 20_000 },
      discount: { code: 'TEN', kind: 'percentage', value: 1_000 },
    };
    const merchantId = newId();
    const facts = { ...(JSON.parse(record.facts) as object), merchantId, pricing };
    const order = orderFromHold({ ...record, facts: JSON.stringify(facts) }, saleId);
    expect(order).toMatchObject({ merchantId, pricing, discount: 1000, totalAmount: 11198 });
    const back = holdFromOrder(order, 2);
    expect(JSON.parse(back.facts)).toMatchObject({ merchantId, pricing });
    expect(orderFromHold(back, saleId)).toEqual(order);
  });

  it('of a paid order has no deadline, and remembers what it was', () => {
    const { saleId, record } = givenHold();
    const order = orderFromHold({ ...record, expiresAt: 1_800_000_000_000 }, saleId);
    const fact = { type: 'pay', cause: 'p', by: order.userId, at: new Date() } as const;
    const outcome = applyFact(order, fact);
    if (outcome.kind !== 'changed') throw new Error(outcome.kind);
    const back = holdFromOrder({ ...order, ...outcome.change.state }, 2);
    expect(back).toMatchObject({ expiresAt: 0, deadline: 1_800_000_000_000 });
    expect(orderFromHold(back, saleId)).toEqual(order);
  });
});
