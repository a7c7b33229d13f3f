import { Registry } from '@prometheus-io/client';
import { describe, expect, it } from '@jest/globals';
import type { OutgoingEvent } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { createMemoryOrderStore, type Order } from '@quicksale/shared/orders';
import { givenOrder, newId } from '@quicksale/shared/testing';
import { scanOutbox, type ScanOutboxDeps } from './scan-outbox.ts';
import { createStuckOrdersGauge } from './stuck-orders.ts';

const createdAt = Date.UTC(2026, 0, 1);

function setUp(backlog = 0) {
  const orders = createMemoryOrderStore();
  const published: OutgoingEvent[] = [];
  const alarms: string[] = [];
  const shipped: string[] = [];
  const repaid: string[] = [];
  const log = createLogger(
    { service: 'test', level: 'error' },
    { write: (line) => void alarms.push((JSON.parse(line) as { orderId: string }).orderId) },
  );
  let hasArrived = true;
  let refused: string | undefined;
  let now = createdAt;
  const deps: ScanOutboxDeps = {
    orders,
    bus: {
      publish: async (events) => {
        if (events.some(({ subject }) => subject === refused)) throw new AppError('internal');
        published.push(...events);
      },
    },
    clock: { now: () => now },
    log,
    releaseUnits: async () => undefined,
    shipUnits: async (given) => {
      shipped.push(...given.filter(({ shipping }) => shipping).map(({ id }) => id));
      if (!hasArrived) return new Map(given.map(({ id }) => [id, 'later']));
      await orders.finishShipping(given.map(({ id, shipping }) => ({ id, units: shipping ?? [] })));
      return new Map(given.map(({ id }) => [id, 'shipped']));
    },
    repay: async (given) => {
      repaid.push(...given.map(({ id }) => id));
      await orders.finishRepaying(given);
    },
    backlog: async () => backlog,
  };
  const scanAt = async (ms: number) => {
    now = createdAt + ms;
    await scanOutbox(deps);
    return published.splice(0).map(({ id }) => id);
  };
  const refuseEventsOf = (order: Order) => void (refused = order.id);
  const setArrived = (arrived: boolean) => void (hasArrived = arrived);
  const registry = new Registry();
  createStuckOrdersGauge({ orders, clock: deps.clock, registry });
  const stuck = async () => {
    const [, count] = /^quicksale_stuck_orders (\d+)$/m.exec(await registry.metrics()) ?? [];
    return Number(count);
  };
  return { orders, scanAt, alarms, shipped, repaid, setArrived, refuseEventsOf, stuck };
}

const givenHouseOrder = (): Order =>
  givenOrder({ house: { by: newId(), reason: 'allotment', to: newId() } });

describe('the outbox scan', () => {
  it('leaves a fresh order to the relay', async () => {
    const { orders, scanAt } = setUp();
    await orders.insertMany([givenOrder()]);
    expect(await scanAt(4_999)).toEqual([]);
  });

  it('sends again what a crash left, ever more rarely', async () => {
    const { orders, scanAt } = setUp();
    const order = givenOrder();
    await orders.insertMany([order]);
    const sent: number[] = [];
    for (let ms = 0; ms < 3_600_000; ms += 1_000) if ((await scanAt(ms)).length) sent.push(ms);
    expect(sent.slice(0, 4)).toEqual([5_000, 15_000, 35_000, 75_000]);
    const [last = 0, beforeLast = 0] = sent.slice(-2).reverse();
    expect(last - beforeLast).toBe(600_000);
  });

  it('an event that nobody answers is not sent for ever faster, and its order counts as stuck', async () => {
    const { orders, scanAt, alarms, stuck } = setUp();
    const order = givenOrder();
    await orders.insertMany([order]);
    let sent = 0;
    const day = 24 * 3_600_000;
    for (let ms = 0; ms <= 3_600_000; ms += 5_000) sent += (await scanAt(ms)).length;
    expect([sent, alarms, await stuck()]).toEqual([11, [], 0]);
    for (let ms = 3_605_000; ms < day; ms += 60_000) sent += (await scanAt(ms)).length;
    // One in ten minutes, each with an alarm.
    expect(sent).toBeLessThan(11 + 24 * 6);
    expect(alarms).toEqual(Array(sent - 11).fill(order.id));
    expect(await stuck()).toBe(1);
    // The letter was replayed, and the answer came.
    await orders.pullOutbox([{ id: order.id, outboxIds: [`${order.id}:1`] }]);
    expect(await stuck()).toBe(0);
  });

  it('an event that the broker refuses is the trouble of its own order', async () => {
    const { orders, scanAt, alarms, refuseEventsOf } = setUp();
    const batch = [givenOrder(), givenOrder(), givenOrder()];
    const [first, bad, last] = batch.map(({ id }) => id);
    await orders.insertMany(batch);
    if (batch[1]) refuseEventsOf(batch[1]);
    for (const ms of [5_000, 15_000]) {
      expect((await scanAt(ms)).sort()).toEqual([`${first}:1`, `${last}:1`].sort());
      expect(alarms.splice(0)).toEqual([bad]);
    }
    expect(await scanAt(10 * 3_600_000)).toHaveLength(2);
    // Stuck all three; of one it is known why.
    expect(alarms.sort()).toEqual([first, bad, bad, last].sort());
  });

  it('waits while the answer is probably on its way', async () => {
    const { orders, scanAt } = setUp(5_000);
    await orders.insertMany([givenOrder()]);
    expect(await scanAt(60_000)).toEqual([]);
  });

  it('takes an order with nothing left to do off its list', async () => {
    const { orders, scanAt } = setUp();
    const order = givenOrder();
    await orders.insertMany([order]);
    await orders.pullOutbox([{ id: order.id, outboxIds: [`${order.id}:1`] }]);
    expect(await scanAt(60_000)).toEqual([]);
    expect(orders.all()[0]).not.toHaveProperty('outboxAt');
  });

  it('sends money back that a crash left, and is then done with it', async () => {
    const { orders, scanAt, repaid } = setUp();
    const order: Order = { ...givenOrder(), repaying: true };
    await orders.insertMany([order]);
    await orders.pullOutbox([{ id: order.id, outboxIds: [`${order.id}:1`] }]);
    for (const ms of [4_999, 5_000, 600_000, 1_200_000]) await scanAt(ms);
    expect(repaid).toEqual([order.id]);
    expect(orders.all()[0]).not.toHaveProperty('outboxAt');
  });

  it('ships what a crash left, tells nobody, and is then done with it', async () => {
    const { orders, scanAt, shipped, alarms } = setUp();
    const order = givenHouseOrder();
    await orders.insertMany([order]);
    expect(await scanAt(4_999)).toEqual([]);
    expect(shipped).toEqual([]);
    // However late that is: nothing of it is left afterwards.
    expect(await scanAt(7_200_000)).toEqual([]);
    expect(shipped).toEqual([order.id]);
    expect(await scanAt(9_000_000)).toEqual([]);
    expect(orders.all()[0]).not.toHaveProperty('outboxAt');
    expect(shipped).toEqual([order.id]);
    expect(alarms).toEqual([]);
  });

  it('comes again while units have not arrived, and raises the alarm after an hour', async () => {
    const { orders, scanAt, shipped, alarms, setArrived } = setUp();
    const order = givenHouseOrder();
    await orders.insertMany([order]);
    setArrived(false);
    for (const ms of [5_000, 15_000, 35_000]) await scanAt(ms);
    expect(shipped).toHaveLength(3);
    expect(alarms).toEqual([]);
    await scanAt(3_600_001);
    expect(alarms).toEqual([order.id]);
    setArrived(true);
    await scanAt(7_200_000);
    expect(alarms).toEqual([order.id]);
    expect(orders.all()[0]).not.toHaveProperty('shipping');
  });

  it('does not call an old order stuck that was changed just now', async () => {
    const { orders, scanAt, alarms, setArrived } = setUp();
    const order = givenHouseOrder();
    const updatedAt = new Date(createdAt + 86_400_000);
    await orders.insertMany([{ ...order, updatedAt }]);
    setArrived(false);
    await scanAt(86_405_000);
    expect(alarms).toEqual([]);
  });

  it('finds money behind any number of events that wait for Kafka', async () => {
    const { orders, scanAt, repaid } = setUp(5_000);
    const order: Order = { ...givenOrder(), repaying: true };
    await orders.insertMany([...Array.from({ length: 250 }, () => givenOrder()), order]);
    for (const ms of [5_000, 6_000]) expect(await scanAt(ms)).toEqual([]);
    expect(repaid).toEqual([order.id]);
  });

  it('ships while Kafka lags behind', async () => {
    const { orders, scanAt, shipped } = setUp(5_000);
    const order = givenHouseOrder();
    await orders.insertMany([order, givenOrder()]);
    expect(await scanAt(60_000)).toEqual([]);
    expect(shipped).toEqual([order.id]);
  });
});
