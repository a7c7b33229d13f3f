import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { HoldRecord } from '@quicksale/shared/stock-ledger';
import { forEachAbreast } from '@quicksale/shared/testing';
import { expireHolds } from '../src/expiry/expire-holds.ts';
import { openHolds, type HeldSale, type HoldFixture } from './hold-fixture.ts';

jest.setTimeout(3_600_000);
const rounds = Number(process.env.RACE_ROUNDS ?? 100);
/** Rounds that run at the same time, each on an order of its own. */
const abreast = 20;

let fixture: HoldFixture;
beforeAll(async () => {
  fixture = await openHolds('races');
}, 60_000);
afterAll(() => fixture?.stop());

/** Lets somebody else go first, now and then. */
async function sometimeSoon(): Promise<void> {
  for (let turns = Math.floor(Math.random() * 6); turns > 0; turns -= 1) await turn();
}

/** The same race over many orders of one sale; `outcome` names what each came to. */
async function race(
  name: string,
  quantity: number,
  contenders: (sale: HeldSale, record: HoldRecord) => (() => Promise<unknown>)[],
  outcome: (record: HoldRecord, results: unknown[]) => Promise<string>,
): Promise<{ available: number; counts: Record<string, number> }> {
  const sale = await fixture.givenSale(rounds * quantity);
  const counts: Record<string, number> = {};
  const records = await fixture.place(sale, rounds, quantity);
  await forEachAbreast(records, abreast, async (record) => {
    const starters = contenders(sale, record);
    if (Math.random() < 0.5) starters.reverse();
    const results = await Promise.all(
      starters.map(async (start) => {
        await sometimeSoon();
        return start();
      }),
    );
    const came = await outcome(record, results);
    counts[came] = (counts[came] ?? 0) + 1;
  });
  const { available, orders } = await fixture.books(sale);
  expect(orders).toHaveLength(rounds);
  const seen = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
  process.stdout.write(`${name}: ${rounds} races: ${seen.sort().join(', ')}\n`);
  return { available, counts };
}

const statusOf = async ({ orderId }: HoldRecord) => (await fixture.read(orderId)).status;
const expire =
  ({ saleId }: HeldSale, { orderId }: HoldRecord) =>
  () =>
    fixture.expire([{ saleId, orderId }]);
const cancel = (record: HoldRecord, wish?: Parameters<HoldFixture['cancel']>[1]) => () =>
  fixture.cancel(record, wish);
const pay =
  ({ saleId }: HeldSale, { orderId }: HoldRecord) =>
  () =>
    fixture.pay(saleId, orderId);

describe('one order, several who want to change it', () => {
  it('cancel and cancel', async () => {
    const { available } = await race(
      'cancel x cancel',
      2,
      (_, record) => [cancel(record), cancel(record), cancel(record, { key: 'k' })],
      async (record) => {
        const order = await fixture.read(record.orderId);
        expect(order.version).toBe(2);
        return order.status;
      },
    );
    expect(available).toBe(rounds * 2);
  });

  it('cancel and deadline', async () => {
    const { available, counts } = await race(
      'cancel x expire',
      1,
      (sale, record) => [cancel(record), expire(sale, record)],
      async (record, results) => {
        const order = await fixture.read(record.orderId);
        expect(order.version).toBe(2);
        expect(results.includes('cancelled')).toBe(order.status === 'CANCELLED');
        return order.status;
      },
    );
    expect(available).toBe(rounds);
    expect(Object.keys(counts).every((one) => ['CANCELLED', 'EXPIRED'].includes(one))).toBe(true);
  });

  it('row 14: payment and deadline', async () => {
    const { available, counts } = await race(
      'pay x expire',
      1,
      (sale, record) => [pay(sale, record), expire(sale, record)],
      async (record, results) => {
        const order = await fixture.read(record.orderId);
        expect(order.version).toBe(2);
        expect(results.includes('paid')).toBe(order.status === 'CONFIRMED');
        expect(order.paymentStatus).toBe(order.status === 'CONFIRMED' ? 'PAID' : 'PENDING');
        return order.status;
      },
    );
    expect(available).toBe(counts.EXPIRED ?? 0);
  });

  it('payment and cancel', async () => {
    const { available } = await race(
      'pay x cancel',
      1,
      (sale, record) => [pay(sale, record), cancel(record)],
      async (record, results) => {
        const order = await fixture.read(record.orderId);
        expect(order.status).toBe('CANCELLED');
        // What was paid and then cancelled is money to give back.
        expect(results.includes('paid')).toBe(order.paymentStatus === 'PAID');
        expect(order.version).toBe(order.paymentStatus === 'PAID' ? 3 : 2);
        return `${order.status}/${order.paymentStatus}`;
      },
    );
    expect(available).toBe(rounds);
  });

  it('payment, deadline and cancel', async () => {
    const { available } = await race(
      'pay x expire x cancel',
      1,
      (sale, record) => [pay(sale, record), expire(sale, record), cancel(record)],
      async (record, results) => {
        const order = await fixture.read(record.orderId);
        expect(['EXPIRED', 'CANCELLED']).toContain(order.status);
        expect(results.includes('paid')).toBe(order.paymentStatus === 'PAID');
        expect(results.includes('cancelled')).toBe(order.status === 'CANCELLED');
        return `${order.status}/${order.paymentStatus}`;
      },
    );
    expect(available).toBe(rounds);
  });

  it('some units and all of them', async () => {
    const { available } = await race(
      'partial x whole cancel',
      3,
      (_, record) => [cancel(record, { quantity: 1 }), cancel(record)],
      async (record) => {
        const order = await fixture.read(record.orderId);
        expect(order.status).toBe('CANCELLED');
        return `version ${order.version}`;
      },
    );
    expect(available).toBe(rounds * 3);
  });

  it('some units, asked for twice with one key, others with another', async () => {
    const { available } = await race(
      'partial x partial (2 of one key)',
      4,
      (_, record) => [
        cancel(record, { key: 'one', quantity: 1 }),
        cancel(record, { key: 'one', quantity: 1 }),
        cancel(record, { key: 'two', quantity: 2 }),
      ],
      async (record) => {
        const order = await fixture.read(record.orderId);
        expect(order.version).toBe(3);
        expect(order.units).toHaveLength(1);
        return order.status;
      },
    );
    expect(available).toBe(rounds * 3);
  });

  it('some units and the deadline', async () => {
    const { available } = await race(
      'partial cancel x expire',
      3,
      (sale, record) => [cancel(record, { quantity: 1 }), expire(sale, record)],
      statusOf,
    );
    expect(available).toBe(rounds * 3);
  });

  it('two sweepers', async () => {
    fixture.returned.length = 0;
    const { available } = await race(
      'expire x expire',
      2,
      (sale, record) => [expire(sale, record), expire(sale, record)],
      async (record) => {
        const order = await fixture.read(record.orderId);
        expect(order.version).toBe(2);
        return order.status;
      },
    );
    expect(available).toBe(rounds * 2);
    expect(fixture.returned).toHaveLength(rounds);
  });
});

describe('a sweeper that dies between MongoDB and the ledger', () => {
  const steps = {
    'before its write': { applyChanges: () => Promise.reject(new Error('killed')) },
    'after its write': {
      applyChanges: async (changes: Parameters<HoldFixture['orders']['applyChanges']>[0]) => {
        await fixture.orders.applyChanges(changes);
        throw new Error('killed');
      },
    },
  };
  it.each(Object.entries(steps))('%s: the next one finishes', async (name, broken) => {
    const dying = { ...fixture.deps, orders: { ...fixture.orders, ...broken } };
    const { available } = await race(
      `expire, killed ${name} x cancel`,
      2,
      (sale, record) => [
        async () => {
          const entries = [{ saleId: sale.saleId, orderId: record.orderId }];
          await expireHolds(dying, entries).catch(() => undefined);
          await fixture.expire(entries);
        },
        cancel(record),
      ],
      async (record) => {
        expect((await fixture.read(record.orderId)).version).toBe(2);
        return statusOf(record);
      },
    );
    expect(available).toBe(rounds * 2);
  });

  it('after the ledger has the units: nothing comes back twice', async () => {
    const dying = {
      ...fixture.deps,
      returnUnits: async (orders: Parameters<HoldFixture['deps']['returnUnits']>[0]) => {
        await fixture.deps.returnUnits(orders);
        throw new Error('killed');
      },
    };
    const { available } = await race(
      'expire, killed after release x expire',
      2,
      (sale, record) => {
        const entries = [{ saleId: sale.saleId, orderId: record.orderId }];
        return [
          () => expireHolds(dying, entries).catch(() => undefined),
          () => fixture.expire(entries),
        ];
      },
      statusOf,
    );
    expect(available).toBe(rounds * 2);
  });
});
