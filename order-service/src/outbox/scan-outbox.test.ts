import { describe, expect, it } from '@jest/globals';
import type { OutgoingEvent } from '@quicksale/shared/contracts';
import { createLogger } from '@quicksale/shared/log';
import { createMemoryOrderStore } from '@quicksale/shared/orders';
import { givenOrder } from '@quicksale/shared/testing';
import { scanOutbox, type ScanOutboxDeps } from './scan-outbox.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const createdAt = Date.UTC(2026, 0, 1);

function setUp(backlog = 0) {
  const orders = createMemoryOrderStore();
  const published: OutgoingEvent[] = [];
  let now = createdAt;
  const deps: ScanOutboxDeps = {
    orders,
    bus: { publish: async (events) => void published.push(...events) },
    clock: { now: () => now },
    log,
    releaseUnits: async () => undefined,
    backlog: async () => backlog,
  };
  const scanAt = async (ms: number) => {
    now = createdAt + ms;
    await scanOutbox(deps);
    return published.splice(0).map(({ id }) => id);
  };
  return { orders, scanAt };
}

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
});
