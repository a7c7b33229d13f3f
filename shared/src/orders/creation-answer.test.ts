import { describe, expect, it } from '@jest/globals';
import { givenHold } from '../testing/orders.ts';
import { creationAnswer } from './creation-answer.ts';
import { orderFromHold } from './order-from-hold.ts';

describe('the creation answer', () => {
  const { saleId, record } = givenHold({ units: [3, 4], expiresAt: Date.UTC(2026, 0, 1, 0, 15) });

  it('has the published shape', () => {
    const [productId] = Object.keys(record.units);
    expect(JSON.parse(creationAnswer(orderFromHold(record, saleId)))).toEqual({
      message: 'Order created successfully',
      order: {
        _id: record.orderId,
        orderNumber: expect.stringMatching(/^ORD-2026-/),
        userId: record.userId,
        saleId,
        items: [{ productId, sku: 'SKU-1', name: 'Lamp', unitPrice: 49.99, quantity: 2 }],
        totalAmount: 99.98,
        currency: 'USD',
        status: 'PENDING',
        inventoryStatus: 'PENDING',
        idempotencyKey: expect.any(String),
        createdAt: '2026-01-01T00:00:00.000Z',
        reservation: { expiresAt: '2026-01-01T00:15:00.000Z', units: 2 },
      },
    });
  });

  it('is the same to the byte after the hold was settled', () => {
    const { expiresAt } = record;
    const settled = { ...record, expiresAt: 0, deadline: expiresAt };
    expect(orderFromHold(settled, saleId)).toEqual(orderFromHold(record, saleId));
    expect(creationAnswer(orderFromHold(settled, saleId))).toBe(
      creationAnswer(orderFromHold(record, saleId)),
    );
  });

  it('is the same to the byte after the order has moved on and lost its units', () => {
    const order = orderFromHold(record, saleId);
    const { units: _units, ...rest } = order;
    const later = { ...rest, status: 'CANCELLED' as const, inventoryStatus: 'RELEASED' as const };
    expect(creationAnswer({ ...later, version: 5 })).toBe(creationAnswer(order));
  });
});
