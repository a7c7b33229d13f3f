import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@quicksale/shared/testing';
import { heldUnits, readTopic, snapshotOf, storedOrders, unrecordedCount } from './books.ts';
import { readCounters } from './counters.ts';
import { startSystem, type System } from './system.ts';

const buyers = 300;
const stock = 47;

describe(`${buyers} buyers at once on ${stock} units`, () => {
  let system: System;
  let productId: string;
  let saleId: string;
  let winners: string[];
  let losers: { status: number; body: Record<string, unknown> }[];
  let before: Awaited<ReturnType<typeof readCounters>>;

  beforeAll(async () => {
    system = await startSystem({ name: 'burst' });
    ({ productId, saleId } = await system.givenProduct(stock));
    before = await readCounters(system);
    const answers = await Promise.all(
      Array.from({ length: buyers }, () =>
        system.api.placeOrder({ token: system.signIn().token, key: 'burst', productId }),
      ),
    );
    winners = answers
      .filter(({ status }) => status === 201)
      .map(({ body }) => (body.order as { _id: string })._id)
      .sort();
    losers = answers.filter(({ status }) => status !== 201);
    await eventually(async () => {
      const orders = await storedOrders(system, saleId);
      expect(orders.filter(({ status }) => status === 'CONFIRMED')).toHaveLength(stock);
    }, 30_000);
  }, 180_000);
  afterAll(() => system?.stop(), 60_000);

  it('says yes to exactly as many as there is stock, and no to the rest', () => {
    expect(winners).toHaveLength(stock);
    expect(losers).toHaveLength(buyers - stock);
    for (const { status, body } of losers) expect([status, body.code]).toEqual([409, 'sold-out']);
  });

  it('shows nothing available', async () => {
    const { body } = await system.api.call(`/api/inventory/products/${productId}`);
    expect(body).toMatchObject({ stock, reserved: stock, available: 0 });
  });

  it('has the same orders and units in MongoDB and in the ledger', async () => {
    const orders = await storedOrders(system, saleId);
    expect(orders.map(({ id }) => id).sort()).toEqual(winners);
    expect(orders.every(({ inventoryStatus }) => inventoryStatus === 'RESERVED')).toBe(true);
    const held = await heldUnits(system, saleId);
    expect(Object.fromEntries(held)).toEqual(
      Object.fromEntries(orders.map(({ id, units }) => [id, units])),
    );
    const numbers = orders.flatMap(({ units }) => units ?? []).map((unit) => unit.split(':')[2]);
    expect(numbers.map(Number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: stock }, (_, index) => index + 1),
    );
    const { products } = await snapshotOf(system, saleId);
    expect(products[productId]).toMatchObject({ last: stock, available: 0, gone: 0, held: 0 });
  });

  it.each(['order.created', 'inventory.result', 'order.status'] as const)(
    'has told %s about each of them',
    async (topic) => {
      const ids = (await readTopic(system, topic)).map(({ orderId }) => orderId as string);
      expect([...new Set(ids)].sort()).toEqual(winners);
    },
  );

  it('leaves nothing unrecorded and no outbox entry', async () => {
    await eventually(async () => expect(await unrecordedCount(system)).toBe(0));
    for (const order of await storedOrders(system, saleId)) {
      expect(order).not.toHaveProperty('outbox');
      expect(order).not.toHaveProperty('outboxAt');
    }
  });

  it('stores one notification for each', async () => {
    await eventually(async () => {
      const notifications = await system.mongo.db().collection('notifications').find({}).toArray();
      expect(notifications.map(({ _id }) => String(_id)).sort()).toEqual(
        winners.map((id) => `${id}:2`).sort(),
      );
    });
  });

  it('costs one insert, one update and one notification insert per order, and less than one script call', async () => {
    const after = await readCounters(system);
    const spent = (counter: string) => (after.get(counter) ?? 0) - (before.get(counter) ?? 0);
    const written = (collection: string, command: string) =>
      spent(
        `quicksale_mongo_write_operations_total{collection="${collection}",command="${command}"}`,
      );
    const commands = (collection: string, command: string) =>
      spent(`quicksale_mongo_commands_total{collection="${collection}",command="${command}"}`);
    expect(written('orders', 'insert')).toBe(stock);
    expect(written('orders', 'update')).toBe(stock);
    expect(written('notifications', 'insert')).toBe(stock);
    // Nothing is read on the way, and writes of the same moment share a command.
    expect(commands('orders', 'insert')).toBeLessThanOrEqual(stock);
    expect(commands('orders', 'update')).toBeLessThanOrEqual(stock);
    expect(commands('notifications', 'insert')).toBeLessThanOrEqual(stock);
    expect(commands('orders', 'findAndModify')).toBe(0);
    // Sweeps ask by the clock, however few orders there are.
    const scripts = [...after.keys()]
      .filter((counter) => /^quicksale_ledger_calls_total(?!.*claim)/.test(counter))
      .map(spent);
    expect(scripts.reduce((sum, calls) => sum + calls, 0)).toBeLessThanOrEqual(buyers);
    expect(spent('quicksale_ledger_calls_total{script="reserve"}')).toBeGreaterThan(0);
  });
});
