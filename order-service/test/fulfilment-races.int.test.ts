import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { HoldRecord } from '@quicksale/shared/stock-ledger';
import { forEachAbreast } from '@quicksale/shared/testing';
import { updateStatus, type UpdateStatusResult } from '../src/fulfilment/update-status.ts';
import { changeOrder } from '../src/orders/change-order.ts';
import { openHolds, type HeldSale, type HoldFixture } from './hold-fixture.ts';

jest.setTimeout(3_600_000);
const rounds = Number(process.env.RACE_ROUNDS ?? 100);
/** Rounds that run at the same time, each on an order of its own. */
const abreast = 20;
const quantity = 3;

let fixture: HoldFixture;
beforeAll(async () => {
  fixture = await openHolds('fulfil');
}, 60_000);
afterAll(() => fixture?.stop());

/** Lets somebody else go first, now and then. */
async function sometimeSoon(): Promise<void> {
  for (let turns = Math.floor(Math.random() * 12); turns > 0; turns -= 1) await turn();
}

type Contender = (sale: HeldSale, record: HoldRecord) => Promise<string>;

/**
 * The same race over many orders that are being packed; `outcome` names what each came to. The books
 * of the sale have to be right afterwards, to the unit, and no order may have a mark left.
 */
async function race(
  name: string,
  contenders: readonly Contender[],
  outcome: (record: HoldRecord, results: readonly string[]) => Promise<string>,
): Promise<{ available: number; gone: number; counts: Record<string, number> }> {
  const sale = await fixture.givenSale(rounds * quantity, { holdMs: 0 });
  const counts: Record<string, number> = {};
  const records = await fixture.place(sale, rounds, quantity);
  await pack(sale);
  await forEachAbreast(records, abreast, async (record) => {
    const starters = contenders.map((contender, index) => ({ contender, index }));
    if (Math.random() < 0.5) starters.reverse();
    const results: string[] = [];
    await Promise.all(
      starters.map(async ({ contender, index }) => {
        await sometimeSoon();
        results[index] = await contender(sale, record);
      }),
    );
    const came = await outcome(record, results);
    counts[came] = (counts[came] ?? 0) + 1;
  });
  const { available, orders } = await fixture.books(sale);
  expect(orders).toHaveLength(rounds);
  const seen = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
  process.stdout.write(`${name}: ${rounds} races: ${seen.sort().join(', ')}\n`);
  return { available, gone: rounds * quantity - available, counts };
}

/** Fresh orders of the sale, as they are when they are paid and on their merchant's table. */
const pack = ({ saleId }: HeldSale) =>
  fixture.mongo
    .db()
    .collection('orders')
    .updateMany(
      { saleId, status: 'PENDING' },
      { $set: { status: 'PROCESSING', inventoryStatus: 'RESERVED', paymentStatus: 'PAID' } },
    );

const move = async (
  { saleId }: HeldSale,
  { orderId }: HoldRecord,
  wish: { status: 'SHIPPED' | 'CANCELLED'; trackingNumber?: string; reason?: string },
): Promise<UpdateStatusResult['status']> => {
  const deps = { ...fixture.changes, clock: fixture.deps.clock };
  const merchant = { role: 'MERCHANT', userId: saleId } as const;
  const result = await updateStatus(deps, merchant, { orderId, check: () => undefined, ...wish });
  return result.status;
};
const ship =
  (trackingNumber = 'DHL 1'): Contender =>
  (sale, record) =>
    move(sale, record, { status: 'SHIPPED', trackingNumber });
const cancelByMerchant: Contender = (sale, record) =>
  move(sale, record, { status: 'CANCELLED', reason: 'broken' });
const cancel =
  (wish?: Parameters<HoldFixture['cancel']>[1]): Contender =>
  (_, record) =>
    fixture.cancel(record, wish);
const refund: Contender = async (_, { orderId }) => {
  const order = await fixture.read(orderId);
  const fact = { type: 'refund', by: 'support', reason: 'r', cause: 'refund', at: new Date() };
  return (await changeOrder(fixture.changes, order, () => fact as typeof fact & { type: 'refund' }))
    .kind;
};

describe('an order that is shipped while others want it', () => {
  it('shipment and cancel by the buyer: one of them', async () => {
    const { gone, counts } = await race(
      'ship x cancel',
      [ship(), cancel()],
      async (record, results) => {
        const order = await fixture.read(record.orderId);
        expect(order.version).toBe(2);
        const isShipped = order.status === 'SHIPPED';
        expect(results).toEqual(isShipped ? ['done', 'too_late'] : ['not_allowed', 'cancelled']);
        expect(order.inventoryStatus).toBe(isShipped ? 'SOLD' : 'RELEASED');
        return order.status;
      },
    );
    expect(gone).toBe((counts.SHIPPED ?? 0) * quantity);
  });

  it('shipment and cancel by the merchant: one of them', async () => {
    const contenders = [ship(), cancelByMerchant];
    const { gone, counts } = await race(
      'ship x cancel by merchant',
      contenders,
      async (record, results) => {
        const { status, version } = await fixture.read(record.orderId);
        expect(version).toBe(2);
        expect(results.filter((one) => one === 'done')).toHaveLength(1);
        return status;
      },
    );
    expect(gone).toBe((counts.SHIPPED ?? 0) * quantity);
  });

  it('shipment and cancel of one unit: what is left is shipped', async () => {
    const contenders = [ship(), cancel({ quantity: 1 })];
    const { gone, counts } = await race(
      'ship x cancel of one',
      contenders,
      async (record, results) => {
        const { status, units, version } = await fixture.read(record.orderId);
        expect([status, results[0]]).toEqual(['SHIPPED', 'done']);
        const isWhole = results[1] === 'too_late';
        expect([units?.length, version]).toEqual(isWhole ? [3, 2] : [2, 3]);
        return isWhole ? 'whole' : 'rest';
      },
    );
    expect(gone).toBe((counts.whole ?? 0) * 3 + (counts.rest ?? 0) * 2);
  });

  it('shipment and refund: units come back only when nothing was shipped', async () => {
    const { gone, counts } = await race(
      'ship x refund',
      [ship(), refund],
      async (record, results) => {
        const { status, inventoryStatus, version, units } = await fixture.read(record.orderId);
        expect([status, results[1]]).toEqual(['REFUNDED', 'changed']);
        const isShipped = results[0] === 'done';
        expect([inventoryStatus, version, units?.length]).toEqual(
          isShipped ? ['SOLD', 3, 3] : ['RELEASED', 2, undefined],
        );
        return isShipped ? 'shipped, then refunded' : 'refunded';
      },
    );
    expect(gone).toBe((counts['shipped, then refunded'] ?? 0) * quantity);
  });

  it('two shipments under two numbers: one of them, and the other is told so', async () => {
    const contenders = [ship('DHL 1'), ship('UPS 2')];
    const { gone } = await race('ship x ship', contenders, async (record, results) => {
      const { trackingNumber, version } = await fixture.read(record.orderId);
      expect(version).toBe(2);
      const isFirst = trackingNumber === 'DHL 1';
      expect(results).toEqual(isFirst ? ['done', 'other_shipment'] : ['other_shipment', 'done']);
      return String(trackingNumber);
    });
    expect(gone).toBe(rounds * quantity);
  });

  it('one shipment, said three times: its units leave once', async () => {
    const { gone } = await race(
      'ship x ship x ship',
      [ship(), ship(), ship()],
      async (record, results) => {
        expect(results).toEqual(['done', 'done', 'done']);
        const { version, status } = await fixture.read(record.orderId);
        expect(version).toBe(2);
        return status;
      },
    );
    expect(gone).toBe(rounds * quantity);
  });
});
