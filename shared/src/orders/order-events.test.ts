import { describe, expect, it } from '@jest/globals';
import { givenOrder } from '../testing/orders.ts';
import { applyFact } from './apply-fact.ts';
import { orderStatusEvent } from './order-events.ts';
import type { HistoryEntry } from './order.ts';

describe('what a buyer is told of a step', () => {
  const order = givenOrder();
  const messageOf = (step: Partial<HistoryEntry>) => {
    const entry = {
      version: 2,
      from: 'CONFIRMED',
      to: 'CANCELLED',
      at: new Date(0),
      by: '',
    } as const;
    return (orderStatusEvent(order, order, { ...entry, ...step }).data as { message: string })
      .message;
  };

  it('is the status, or what has happened beside it', () => {
    expect(messageOf({})).toBe('Your order was cancelled');
    expect(messageOf({ cancelled: [{ productId: 'a', quantity: 1 }] })).toMatch(/^Some items/);
    expect(messageOf({ money: 'declined' })).toMatch(/refused/);
    expect(messageOf({ money: 'repaid' })).toMatch(/money is on its way back/);
  });
});

it('a step that is told again says what it said first, whatever has become of the order', () => {
  const order = { ...givenOrder(), version: 1 };
  const paid = applyFact(
    { ...order, status: 'AWAITING_PAYMENT', inventoryStatus: 'RESERVED', paymentStatus: 'PENDING' },
    { type: 'pay', cause: 'payment', by: order.userId, at: new Date(0) },
  );
  if (paid.kind !== 'changed') throw new Error(paid.kind);
  const { state, historyEntry } = paid.change;
  const first = orderStatusEvent(order, state, historyEntry);
  const later = { inventoryStatus: 'RELEASED', paymentStatus: 'REFUNDED' } as const;
  expect(orderStatusEvent(order, { status: 'CANCELLED', ...later }, historyEntry)).toEqual(first);
  expect(first.data).toMatchObject({ inventoryStatus: 'RESERVED', paymentStatus: 'PAID' });
});
