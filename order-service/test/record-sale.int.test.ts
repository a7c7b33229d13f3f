import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { givenHold, newId } from '@quicksale/shared/testing';
import { createMongoOrderStore, orderFromHold } from '@quicksale/shared/orders';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(30_000);

describe('the unrecorded holds of a fenced sale', () => {
  let fixture: OrderFixture;
  beforeAll(async () => {
    fixture = await startOrders({ QUICKSALE_REPAIRS_OFF: 'unrecorded-sweep,outbox-scan' });
  }, 60_000);
  afterAll(() => fixture?.stop());

  /** A sale whose ledger has given units 1, 2 and 3 to orders that nobody has written. */
  async function givenSale(durability: 'fast' | 'safe', lastUnit: number) {
    const sale = await fixture.givenProduct(lastUnit, { opensAtMs: 1, durability });
    const { saleId, productId } = sale;
    const items = [{ productId, sku: 'LAMP', name: 'Lamp', quantity: 1 }];
    const orderIds = [newId(), newId(), newId()];
    for (const orderId of orderIds) {
      const digest = `digest of ${orderId}`;
      const facts = { orderNumber: orderId, saleId, currency: 'USD', items, key: 'k' };
      await fixture.ledger.reserve(saleId, [
        {
          ...{ orderId, userId: newId(), kind: 'order', digest, fingerprint: 'f' },
          items: [{ productId, quantity: 1 }],
          facts: JSON.stringify({ ...facts, digest, fingerprint: 'f' }),
        },
      ]);
    }
    await fixture.mongo
      .db()
      .collection<{ _id: string }>('stock-movements')
      .insertOne({
        ...{ _id: `${productId}:initial`, saleId, productId, firstUnit: 1, lastUnit },
        ...{ reason: 'initial', by: saleId, at: new Date() },
      });
    // The ledger went back after this one: its unit was issued again.
    const { record } = givenHold({ saleId, productId, units: [1] });
    await createMongoOrderStore(fixture.mongo).insertMany([orderFromHold(record, saleId)]);
    await fixture.ledger.fence(saleId, 1);
    return { ...sale, orderIds, ownerId: record.orderId };
  }

  const record = (saleId: string) => fixture.recordSale(saleId);
  async function unitsOf(saleId: string) {
    const found = await fixture.orders(saleId);
    return new Map(
      found.map(({ _id, units }) => [
        String(_id),
        (units as string[] | undefined)?.map((unit) => Number(unit.split(':')[2])),
      ]),
    );
  }

  it('of a fast one get other units where theirs were issued again', async () => {
    const { saleId, orderIds, ownerId } = await givenSale('fast', 4);
    expect((await record(saleId).expect(200)).body).toEqual({ holds: 3, recorded: 3 });
    const [first = '', second = '', third = ''] = orderIds;
    const expected = new Map([
      [ownerId, [1]],
      [first, [4]],
      [second, [2]],
      [third, [3]],
    ]);
    expect(await unitsOf(saleId)).toEqual(expected);
    // A rebuilder that died after this asks again.
    await record(saleId).expect(200);
    expect(await unitsOf(saleId)).toEqual(expected);
  });

  it('of a fast one fail and say so where nothing is left', async () => {
    const { saleId, orderIds } = await givenSale('fast', 3);
    await record(saleId).expect(200);
    const [first = ''] = orderIds;
    const failed = (await fixture.orders(saleId)).find(({ _id }) => String(_id) === first);
    expect(failed).toMatchObject({
      status: 'FAILED',
      inventoryStatus: 'REJECTED',
      version: 2,
      outbox: [{ id: `${first}:2`, type: 'order.status.v1' }],
    });
    expect(failed).not.toHaveProperty('units');
    await record(saleId).expect(200);
    expect(await fixture.orders(saleId)).toHaveLength(4);
  });

  it("of a safe one are nobody's promise without their units", async () => {
    const { saleId, orderIds, ownerId } = await givenSale('safe', 4);
    expect((await record(saleId).expect(200)).body).toEqual({ holds: 3, recorded: 2 });
    const [, second = '', third = ''] = orderIds;
    expect([...(await unitsOf(saleId)).keys()].sort()).toEqual([ownerId, second, third].sort());
  });
});
