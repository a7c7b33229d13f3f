import { describe, expect, it } from '@jest/globals';
import type { Order } from '@quicksale/shared/orders';
import type { ProviderIntent } from './payment-provider.ts';
import {
  atRest,
  keptOf,
  postponed,
  refundOwed,
  withAttempt,
  withIntent,
  withOwedRefund,
  withRefund,
  type Payment,
} from './payment.ts';

const now = Date.UTC(2026, 10, 21);
const at = new Date(now);

const intentOf = (id: string, captured = 0) => ({
  id,
  amount: 100,
  captured,
  isOpen: captured === 0,
});

const paymentOf = (more: Partial<Payment> = {}): Payment => ({
  ...{ id: 'o', userId: 'u', provider: 'simulator', status: 'open', amount: 100, currency: 'USD' },
  ...{ intents: [intentOf('a')], attempts: 0, refunds: [], version: 1, checks: 0 },
  ...{ expiresAt: new Date(now + 60_000), createdAt: at, updatedAt: at },
  ...more,
});

/** Two items of 50. */
const orderOf = (status: Order['status'], more: Partial<Order> = {}) =>
  ({
    ...{ id: 'o', status, paymentStatus: 'PAID', history: [], subtotal: 100, totalAmount: 100 },
    ...{ discount: 0, taxAmount: 0, shippingCost: 0, expiresAt: new Date(now + 60_000) },
    items: [{ productId: 'p', sku: 's', name: 'n', unitPrice: 50, quantity: 2 }],
    ...more,
  }) as Order;

const refundOf = (amount: number, status: 'pending' | 'succeeded' | 'failed', due?: number) => ({
  ...{ id: `r${amount}`, intentId: 'a', amount, reason: 'r', by: 'x', at, status },
  ...{ cause: 'order' as const, due },
});

const paid = (more: Partial<Payment> = {}) =>
  paymentOf({ status: 'succeeded', intents: [intentOf('a', 100)], ...more });

const seen = (status: ProviderIntent['status'], more: Partial<ProviderIntent> = {}) => ({
  ...{ id: 'a', status, amount: 100, currency: 'USD' },
  ...more,
});

describe('what is owed back', () => {
  it.each([
    ['nothing of what the order costs', paid(), orderOf('CONFIRMED'), 0],
    ['all of one that is over', paid(), orderOf('EXPIRED'), 100],
    [
      'the price of a unit that was cancelled',
      paid(),
      orderOf('CONFIRMED', {
        history: [{ cancelled: [{ productId: 'p', quantity: 1 }] }] as unknown as Order['history'],
      }),
      50,
    ],
    [
      'not what is on its way',
      paid({ refunds: [refundOf(70, 'pending')] }),
      orderOf('CANCELLED'),
      30,
    ],
    ['not what has gone', paid({ refunds: [refundOf(100, 'succeeded')] }), orderOf('CANCELLED'), 0],
    [
      'the money of an intent that nobody wanted any more',
      paid({ intents: [intentOf('a', 100), intentOf('b', 100)] }),
      orderOf('CONFIRMED'),
      100,
    ],
    [
      'not by itself what the provider has refused',
      paid({ refunds: [refundOf(100, 'failed', 0)] }),
      orderOf('CANCELLED'),
      0,
    ],
    [
      'what was refused, once the order costs still less',
      paid({ refunds: [refundOf(50, 'failed', 50)] }),
      orderOf('CANCELLED'),
      100,
    ],
    ['nothing of nothing', paymentOf(), orderOf('CANCELLED'), 0],
  ])('%s', (_what, payment, order, owed) => {
    expect(refundOwed(payment, order)).toBe(owed);
  });

  it('is taken from each intent as far as it goes, and then nothing is owed', () => {
    const payment = paid({
      intents: [intentOf('a', 100), intentOf('b', 100)],
      refunds: [refundOf(70, 'succeeded')],
    });
    const next = withOwedRefund(payment, orderOf('CANCELLED'), now);
    expect(next?.refunds.slice(1)).toMatchObject([
      { id: 'o-r2', intentId: 'a', amount: 30, status: 'pending' },
      { id: 'o-r2-2', intentId: 'b', amount: 100, status: 'pending' },
    ]);
    expect(next && [keptOf(next), next.checkAt]).toEqual([0, new Date(now + 5_000)]);
    expect(next && withOwedRefund(next, orderOf('CANCELLED'), now)).toBeUndefined();
  });
});

describe('an attempt', () => {
  it('is begun once, by one key at a time', () => {
    const begun = withAttempt(paymentOf(), 'k', now);
    expect(begun).toMatchObject({ status: 'confirming', attempts: 1 });
    if (!begun) return;
    expect(withAttempt(begun, 'other', now)).toBeUndefined();
    expect(withAttempt(begun, 'k', now)).toMatchObject({ attempts: 1 });
    expect(withAttempt({ ...begun, status: 'processing' }, 'k', now)).toBeUndefined();
    expect(withAttempt(paid(), 'k', now)).toBeUndefined();
    const closed = { ...intentOf('a'), isOpen: false };
    expect(withAttempt(paymentOf({ intents: [closed] }), 'k', now)).toBeUndefined();
  });

  it.each([
    ['its answer', 'answer', 0, 'declined'],
    ['a look while it may be on its way', 'look', 0, undefined],
    ['a look once nobody waits for it', 'look', 15_000, 'open'],
  ] as const)('that took nothing, by %s', (_what, how, laterMs, status) => {
    const begun = withAttempt(paymentOf(), 'k', now) ?? paymentOf();
    expect(withIntent(begun, seen('open'), how, now + laterMs)?.status).toBe(status);
  });

  it('takes money in whatever state it is found, once', () => {
    for (const status of ['open', 'confirming', 'processing', 'declined'] as const) {
      const next = withIntent(paymentOf({ status }), seen('succeeded'), 'look', now);
      expect(next).toMatchObject({ status: 'succeeded', intents: [{ captured: 100 }] });
      expect(next && withIntent(next, seen('succeeded'), 'look', now)).toBeUndefined();
    }
    expect(withIntent(paymentOf(), seen('succeeded', { id: 'z' }), 'look', now)).toBeUndefined();
  });

  it('of which the intent is cancelled is over', () => {
    const begun = withAttempt(paymentOf(), 'k', now) ?? paymentOf();
    expect(withIntent(begun, seen('cancelled'), 'look', now)).toMatchObject({
      status: 'open',
      intents: [{ isOpen: false, captured: 0 }],
    });
  });
});

describe('a payment that is looked at', () => {
  const told = orderOf('CONFIRMED');
  const unpaid = orderOf('AWAITING_PAYMENT', { paymentStatus: 'PENDING' });
  const checked = { checkAt: at };

  it.each([
    ['paid, and the order knows it', paid(checked), told],
    ['refused, and the order is over', paymentOf({ ...checked, intents: [] }), orderOf('EXPIRED')],
  ])('rests when it is %s', (_what, payment, order) => {
    expect(atRest(payment, order)).not.toHaveProperty('checkAt');
  });

  it.each([
    ['under way', paymentOf({ ...checked, status: 'processing' }), unpaid],
    ['paid, and the order does not know it', paid(checked), unpaid],
    ['paid, and the order is over', paid(checked), orderOf('EXPIRED')],
    ['open, and the order is over', paymentOf(checked), orderOf('EXPIRED')],
    [
      'on its way back',
      paid({ ...checked, refunds: [refundOf(100, 'pending')] }),
      orderOf('CANCELLED'),
    ],
    [
      'back, and the order does not know it',
      paid({ ...checked, refunds: [refundOf(100, 'succeeded')] }),
      orderOf('CANCELLED'),
    ],
  ])('does not rest when it is %s', (_what, payment, order) => {
    expect(atRest(payment, order)).toBeUndefined();
  });

  it('waits for its buyer until the deadline of the order', () => {
    expect(atRest(paymentOf(checked), unpaid)?.checkAt).toEqual(new Date(now + 65_000));
  });

  it('is looked at less and less often', () => {
    let payment = paid(checked);
    const waits = Array.from({ length: 9 }, () => {
      payment = postponed(payment, now);
      return ((payment.checkAt?.getTime() ?? 0) - now) / 1_000;
    });
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600]);
  });

  it('gives a goodwill the name that it was asked for by', () => {
    const refund = { id: 'refund:k', amount: 30, reason: 'late', by: 's', now };
    expect(withRefund(paid(), { ...refund, cause: 'request' }).refunds).toMatchObject([
      { id: 'refund:k', intentId: 'a', amount: 30, cause: 'request', status: 'pending' },
    ]);
  });
});
