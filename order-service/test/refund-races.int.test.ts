import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { openPaymentRaces, price, type PaymentRaces, type Racer } from './payment-race-fixture.ts';

jest.setTimeout(3_600_000);

let races: PaymentRaces;
beforeAll(async () => {
  races = await openPaymentRaces('refund_races');
}, 60_000);
afterAll(() => races?.stop());

const isPaid = async (racer: Racer) => expect(await races.confirm(racer)).toBe('paid');

/** What has gone back by the payment's own account, and how the order stands. */
async function state(racer: Racer) {
  const { order, payment } = await races.read(racer);
  const back = payment.refunds.reduce((sum, { amount }) => sum + amount, 0);
  return { order, back, count: payment.refunds.length };
}

describe('refunds of one order', () => {
  it('under one key', async () => {
    await races.race(
      'refund x refund, one key',
      (racer) => [1, 2, 3].map(() => () => races.refund(racer, 1_000, `k-${racer.order.id}`)),
      async (racer, results) => {
        expect(results).toEqual(Array(3).fill('refunded'));
        const { order, back, count } = await state(racer);
        expect([back, count, order.status]).toEqual([1_000, 1, 'CONFIRMED']);
        return 'refunded once';
      },
      isPaid,
    );
  });

  it('as a whole, under two keys', async () => {
    await races.race(
      'full x full',
      (racer) => [() => races.refund(racer), () => races.refund(racer)],
      async (racer, results) => {
        const { order, back } = await state(racer);
        expect([back, order.status]).toEqual([2 * price, 'REFUNDED']);
        expect(results).toContain('refunded');
        return [...results].sort().join('+');
      },
      isPaid,
    );
  });

  it('in parts, and as a whole', async () => {
    await races.race(
      'full x partial x partial',
      (racer) => [
        () => races.refund(racer),
        () => races.refund(racer, 6_000),
        () => races.refund(racer, 6_000),
      ],
      async (racer) => {
        const { order, back, count } = await state(racer);
        expect([back, order.status]).toEqual([2 * price, 'REFUNDED']);
        return `${count} refunds`;
      },
      isPaid,
    );
  });

  it('in parts that are too much together', async () => {
    await races.race(
      'partial x partial x partial',
      (racer) => [1, 2, 3].map(() => () => races.refund(racer, 4_000)),
      async (racer, results) => {
        const { back } = await state(racer);
        expect(back).toBe(8_000);
        expect([...results].sort()).toEqual(['refunded', 'refunded', 'too_much']);
        return 'two of three';
      },
      isPaid,
    );
  });

  it('and cancels of its units', async () => {
    await races.race(
      'cancel x cancel x partial',
      (racer) => [
        () => races.cancel(racer, 1),
        () => races.cancel(racer, 1),
        () => races.refund(racer, 2_000),
      ],
      async (racer) => {
        const { order, back } = await state(racer);
        expect([back, order.status]).toEqual([2 * price, 'CANCELLED']);
        return order.paymentStatus;
      },
      isPaid,
    );
  });

  it('and the payment itself', async () => {
    await races.race(
      'pay x refund x cancel of a unit x webhook',
      (racer) => [
        () => races.confirm(racer),
        () => races.refund(racer),
        () => races.cancel(racer, 1),
        () => races.tell(racer),
      ],
      async (racer) => {
        const { order } = await state(racer);
        return order.status;
      },
    );
  });
});
