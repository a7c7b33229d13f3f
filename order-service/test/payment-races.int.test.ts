import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { openPaymentRaces, type PaymentRaces, type Racer } from './payment-race-fixture.ts';

jest.setTimeout(3_600_000);

let races: PaymentRaces;
beforeAll(async () => {
  races = await openPaymentRaces('pay_races');
}, 60_000);
afterAll(() => races?.stop());

const payments = async (racer: Racer) => {
  const { order } = await races.read(racer);
  return order.history.filter(({ cause }) => cause === order.id).length;
};

describe('paying an order that somebody else changes', () => {
  it('row 14: payment and deadline', async () => {
    await races.race(
      'pay x expire',
      (racer) => [() => races.confirm(racer), () => races.expire(racer)],
      async (racer, results) => {
        const { order } = await races.read(racer);
        expect(results.includes('paid')).toBe(order.status === 'CONFIRMED');
        expect(await payments(racer)).toBe(order.status === 'CONFIRMED' ? 1 : 0);
        return `${order.status}/${order.paymentStatus}`;
      },
    );
  });

  it('payment and cancel', async () => {
    await races.race(
      'pay x cancel',
      (racer) => [() => races.confirm(racer), () => races.cancel(racer)],
      async (racer, results) => {
        const { order } = await races.read(racer);
        expect(results).toContain('cancelled');
        expect(order.status).toBe('CANCELLED');
        return `${order.status}/${order.paymentStatus}`;
      },
    );
  });

  it('payment and the cancel of some units', async () => {
    await races.race(
      'pay x cancel of a unit',
      (racer) => [() => races.confirm(racer), () => races.cancel(racer, 1)],
      async (racer, results) => {
        const { order } = await races.read(racer);
        expect([...results].sort()).toEqual(['cancelled', 'paid']);
        expect(order.status).toBe('CONFIRMED');
        return `${order.status}/${order.paymentStatus}`;
      },
    );
  });

  it('two payments under two keys', async () => {
    await races.race(
      'pay x pay',
      (racer) => [() => races.confirm(racer), () => races.confirm(racer)],
      async (racer, results) => {
        expect(results).toContain('paid');
        expect(await payments(racer)).toBe(1);
        return [...results].sort().join('+');
      },
    );
  });

  it('two payments under one key', async () => {
    await races.race(
      'pay x pay, one key',
      (racer) => [1, 2].map(() => () => races.confirm(racer, 'sim_ok', `k-${racer.order.id}`)),
      async (racer, results) => {
        expect(results).toEqual(['paid', 'paid']);
        expect(await payments(racer)).toBe(1);
        return 'paid once';
      },
    );
  });
});

describe('webhooks', () => {
  it('come twice at once, while nobody else knows of the money', async () => {
    await races.race(
      'webhook x webhook',
      (racer) => [
        () => races.tell(racer, `same-${racer.order.id}`),
        () => races.tell(racer, `same-${racer.order.id}`),
        () => races.tell(racer, newId()),
      ],
      async (racer) => {
        const { order } = await races.read(racer);
        expect([order.status, order.paymentStatus]).toEqual(['CONFIRMED', 'PAID']);
        expect(await payments(racer)).toBe(1);
        return order.status;
      },
      (racer) => races.tryConfirm(racer, 'sim_answer_lost'),
    );
  });

  it('come before the answer, and the deadline in between', async () => {
    await races.race(
      'webhook first x expire',
      (racer) => [() => races.confirm(racer, 'sim_webhook_first'), () => races.expire(racer)],
      async (racer, results) => {
        const { order } = await races.read(racer);
        expect(results.includes('paid')).toBe(order.status === 'CONFIRMED');
        return `${order.status}/${order.paymentStatus}`;
      },
    );
  });

  it('tell of late money, while the order is cancelled', async () => {
    await races.race(
      'lost answer x webhooks x cancel x expire',
      (racer) => [
        () => races.tryConfirm(racer, 'sim_answer_lost'),
        () => races.tell(racer),
        () => races.cancel(racer, 1),
        () => races.expire(racer),
        () => races.tell(racer),
      ],
      async (racer) => {
        const { order } = await races.read(racer);
        return order.status;
      },
    );
  });
});
