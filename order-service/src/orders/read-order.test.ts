import { describe, expect, it } from '@jest/globals';
import { createMemoryOrderStore, type Order } from '@quicksale/shared/orders';
import { createSystemRandom } from '@quicksale/shared/process';
import { givenOrder, newId } from '@quicksale/shared/testing';
import { readOrder } from './read-order.ts';

describe('reading an order', () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const minuteMs = 60_000;
  const idOf = (ageMs: number) => createSystemRandom().objectId(nowMs - ageMs);

  function setUp(remembered?: Order) {
    const orders = createMemoryOrderStore();
    const find = (userId: string, orderId: string) =>
      remembered?.userId === userId && remembered.id === orderId ? remembered : undefined;
    return { clock: { now: () => nowMs }, orders, early: { find } };
  }

  it('finds what MongoDB has before what is remembered: it may have moved on', async () => {
    const order = givenOrder();
    const world = setUp({ ...order, version: 1 });
    await world.orders.insertMany([{ ...order, version: 2 }]);
    const own = { userId: order.userId, orderId: order.id };
    expect(await readOrder(world, own)).toMatchObject({ status: 'found', order: { version: 2 } });
  });

  it('finds what was answered here and is not written yet', async () => {
    const order = givenOrder();
    const own = { userId: order.userId, orderId: order.id };
    expect(await readOrder(setUp(order), own)).toEqual({ status: 'found', order });
  });

  it('says of a young order of somebody else what it says of an id that nobody has', async () => {
    const order = givenOrder({ orderId: idOf(minuteMs) });
    const unwritten = givenOrder({ orderId: idOf(minuteMs) });
    const world = setUp(unwritten);
    await world.orders.insertMany([order]);
    const userId = newId();
    for (const orderId of [order.id, unwritten.id, idOf(minuteMs)])
      expect(await readOrder(world, { userId, orderId })).toEqual({ status: 'being_recorded' });
  });

  it.each([
    [9.9 * minuteMs, 'being_recorded'],
    [10 * minuteMs, 'not_found'],
    [-9.9 * minuteMs, 'being_recorded'],
    [-10 * minuteMs, 'not_found'],
  ])('takes an id of %p ms ago for %s', async (ageMs, status) => {
    const asked = { userId: newId(), orderId: idOf(ageMs) };
    expect(await readOrder(setUp(), asked)).toEqual({ status });
  });
});
