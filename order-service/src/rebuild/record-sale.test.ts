import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { createMemoryOrderStore, orderFromHold } from '@quicksale/shared/orders';
import { givenHold, newId } from '@quicksale/shared/testing';
import type { Hold, RecordingOutcome } from '../intake/record-holds.ts';
import { recordSale } from './record-sale.ts';

describe('the unrecorded holds of a fenced sale', () => {
  const [saleId, productId] = [newId(), newId()];
  // More than fits into a list.
  const stock = 1_000_000_000_000;
  const fastHold = (unit: number) => {
    const { record } = givenHold({ saleId, productId, units: [unit] });
    return { ...record, fast: true as const };
  };

  function setUp(records: ReturnType<typeof fastHold>[], outcome: RecordingOutcome['kind']) {
    const orders = createMemoryOrderStore();
    const asked: string[] = [];
    const deps = {
      ledger: {
        markedOrders: async () => ({ due: [], unrecorded: records.map((one) => one.orderId) }),
        peekHolds: async () => records,
      },
      orders,
      recorder: {
        record: async ({ record }: Hold) => {
          asked.push(record.orderId);
          return { kind: outcome } as RecordingOutcome;
        },
      },
      readSaleUnits: async () => ({ owners: new Map(), lastUnits: new Map([[productId, stock]]) }),
      clock: { now: () => Date.UTC(2026, 0, 1) },
      log: createLogger({ service: 'test', level: 'silent' }),
    };
    return { deps, orders, asked };
  }

  it('are not recorded once more when their orders are there already', async () => {
    const [there, missing] = [fastHold(1), fastHold(2)];
    const { deps, orders, asked } = setUp([there, missing], 'recorded');
    await orders.insertMany([orderFromHold(there, saleId)]);
    expect(await recordSale(deps, saleId)).toEqual({ holds: 2, recorded: 2 });
    expect(asked).toEqual([missing.orderId]);
  });

  it('keep their key when it was only a race that kept them out', async () => {
    const hold = fastHold(1);
    const { deps, orders } = setUp([hold], 'not-recorded');
    let races = 1;
    const racing: typeof orders.insertMany = async (batch) =>
      races-- > 0 ? batch.map(() => ({ kind: 'conflict' })) : orders.insertMany(batch);
    await recordSale({ ...deps, orders: { ...orders, insertMany: racing } }, saleId);
    const { idempotencyDigest } = orderFromHold(hold, saleId);
    expect(orders.all()).toMatchObject([{ id: hold.orderId, idempotencyDigest }]);
  });

  it('get the lowest units that nobody has, those of each other left out', async () => {
    const [lost, own] = [fastHold(1), fastHold(3)];
    const { deps, orders } = setUp([lost, own], 'not-recorded');
    const owners = new Map([1, 2].map((unit) => [`${saleId}:${productId}:${unit}`, newId()]));
    const lastUnits = new Map([[productId, stock]]);
    await recordSale({ ...deps, readSaleUnits: async () => ({ owners, lastUnits }) }, saleId);
    const units = new Map(orders.all().map((order) => [order.id, order.units]));
    expect(units.get(lost.orderId)).toEqual([`${saleId}:${productId}:4`]);
    expect(units.get(own.orderId)).toEqual([`${saleId}:${productId}:3`]);
  });

  it('go without a key that names an older order', async () => {
    const hold = fastHold(1);
    const { deps, orders } = setUp([hold], 'not-recorded');
    const { idempotencyDigest = '' } = orderFromHold(hold, saleId);
    const older = givenHold({ saleId, productId, units: [5], digest: idempotencyDigest });
    await orders.insertMany([orderFromHold(older.record, saleId)]);
    await recordSale(deps, saleId);
    const kept = orders.all().find(({ id }) => id === hold.orderId);
    expect(kept).toBeDefined();
    expect(kept).not.toHaveProperty('idempotencyDigest');
  });
});
