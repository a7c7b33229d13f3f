import { describe, expect, it } from '@jest/globals';
import type { Delivered } from '@quicksale/shared/bus';
import type { InventoryResult, OutgoingEvent } from '@quicksale/shared/contracts';
import { createMemoryOrderStore, type Order } from '@quicksale/shared/orders';
import { givenOrder, newId } from '@quicksale/shared/testing';
import { applyResults } from './apply-results.ts';

const resultOf = (
  order: Order,
  change: Partial<InventoryResult> = {},
): Delivered<InventoryResult> => ({
  id: `${order.id}:result`,
  time: '2026-01-01T00:00:01.000Z',
  context: {},
  data: {
    orderId: order.id,
    orderNumber: order.orderNumber,
    userId: order.userId,
    saleId: order.saleId,
    outcome: 'RESERVED',
    paymentRequired: false,
    causationId: `${order.id}:1`,
    ...change,
  },
});

function setUp() {
  const orders = createMemoryOrderStore();
  const published: OutgoingEvent[] = [];
  let reads = 0;
  const deps = {
    orders: {
      ...orders,
      findByIds: (ids: readonly string[]) => {
        reads += 1;
        return orders.findByIds(ids);
      },
    },
    bus: { publish: async (events: readonly OutgoingEvent[]) => void published.push(...events) },
  };
  const ids = () => published.splice(0).map(({ id }) => id);
  return { orders, deps, published: ids, reads: () => reads };
}

describe('applying inventory results', () => {
  it('confirms a whole batch without reading it', async () => {
    const { orders, deps, published, reads } = setUp();
    const batch = [givenOrder(), givenOrder()];
    await orders.insertMany(batch);
    await applyResults(
      deps,
      batch.map((order) => resultOf(order)),
    );
    expect(orders.all().map(({ status, version }) => [status, version])).toEqual([
      ['CONFIRMED', 2],
      ['CONFIRMED', 2],
    ]);
    expect(published()).toEqual(batch.map(({ id }) => `${id}:2`));
    expect(reads()).toBe(0);
  });

  it('changes nothing when a result comes again, and publishes the same event', async () => {
    const { orders, deps, published } = setUp();
    const order = givenOrder();
    await orders.insertMany([order]);
    await applyResults(deps, [resultOf(order)]);
    const first = orders.all();
    expect(published()).toEqual([`${order.id}:2`]);
    await applyResults(deps, [resultOf(order)]);
    expect(orders.all()).toEqual(first);
    expect(published()).toEqual([`${order.id}:2`]);
  });

  it('takes a resent result in the same batch as one', async () => {
    const { orders, deps, published } = setUp();
    const order = givenOrder();
    await orders.insertMany([order]);
    await applyResults(deps, [resultOf(order), resultOf(order)]);
    expect(published()).toEqual([`${order.id}:2`]);
  });

  it('only clears the outbox of an order that has moved on', async () => {
    const { orders, deps, published } = setUp();
    const { units: _units, ...order } = givenOrder();
    await orders.insertMany([
      { ...order, status: 'CANCELLED', inventoryStatus: 'RELEASED', version: 2 },
    ]);
    await applyResults(deps, [resultOf(order, { outcome: 'REJECTED' })]);
    expect(orders.all()[0]).toMatchObject({ status: 'CANCELLED', version: 2, outbox: [] });
    expect(published()).toEqual([]);
  });

  it('sorts out a batch of which a part was applied before', async () => {
    const { orders, deps, published } = setUp();
    const [done, fresh] = [givenOrder(), givenOrder()];
    await orders.insertMany([done, fresh]);
    await applyResults(deps, [resultOf(done)]);
    published();
    await applyResults(deps, [resultOf(done), resultOf(fresh)]);
    expect(orders.all().map(({ status }) => status)).toEqual(['CONFIRMED', 'CONFIRMED']);
    expect(published().sort()).toEqual([`${done.id}:2`, `${fresh.id}:2`].sort());
  });

  it('takes no rejection for an order that owns its units, and does the rest of the batch', async () => {
    const { orders, deps, published } = setUp();
    const [rejected, fine] = [givenOrder(), givenOrder()];
    await orders.insertMany([rejected, fine]);
    const batch = [resultOf(rejected, { outcome: 'REJECTED' }), resultOf(fine)];
    await expect(applyResults(deps, batch)).rejects.toThrow(rejected.id);
    expect(orders.all()).toEqual([
      rejected,
      expect.objectContaining({ id: fine.id, status: 'CONFIRMED' }),
    ]);
    expect(published()).toEqual([`${fine.id}:2`]);
  });

  it('asks for payment where it is required', async () => {
    const { orders, deps } = setUp();
    const order = givenOrder({ expiresAt: Date.UTC(2026, 0, 1, 1) });
    await orders.insertMany([order]);
    await applyResults(deps, [resultOf(order, { paymentRequired: true })]);
    expect(orders.all()[0]).toMatchObject({ status: 'AWAITING_PAYMENT', paymentStatus: 'PENDING' });
  });

  it('skips an order that is not there', async () => {
    const { deps, published } = setUp();
    await applyResults(deps, [resultOf({ ...givenOrder(), id: newId() })]);
    expect(published()).toEqual([]);
  });
});
