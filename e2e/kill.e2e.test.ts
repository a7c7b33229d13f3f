import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@quicksale/shared/testing';
import { heldUnits, snapshotOf, storedOrders, unrecordedCount } from './books.ts';
import { startSystem, type System } from './system.ts';

const buyers = Number(process.env.KILL_BUYERS ?? 450);
const stock = Math.floor((buyers * 2) / 3);
/** Buyers arrive over this time, so that the kill falls among them. */
const arrivalMs = 2_500;

describe(`kill -9 while ${buyers} buyers want ${stock} units`, () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({ name: 'kill', ownServers: true });
  }, 180_000);
  afterAll(() => system?.stop(), 60_000);

  it.each([
    [1, 'gateway'],
    [1, 'auth-service'],
    [1, 'inventory-service'],
    [1, 'order-service'],
    [1, 'kafka-processor'],
    [1, 'notifier-service'],
    [3, 'redis-ledger'],
    [8, 'ferretdb'],
    [8, 'postgres'],
    [9, 'kafka'],
  ])(
    'fault %i: of %s loses and doubles nothing',
    async (_fault, victim) => {
      const { productId, saleId } = await system.givenProduct(stock);
      const kill = new Promise<void>((resolve) => setTimeout(resolve, arrivalMs / 3)).then(() => {
        expect(system.supervisor.kill(victim)).toBe(true);
      });
      const answers = await Promise.all(
        Array.from({ length: buyers }, async (_, index) => {
          const { token, userId } = system.signIn();
          await new Promise((resolve) => setTimeout(resolve, (index / buyers) * arrivalMs));
          const order = { token, key: `kill-${victim}`, productId, limitMs: 90_000 };
          return { userId, ...(await system.api.placeOrderUntilFinal(order)) };
        }),
      );
      await kill;
      await system.supervisor.waitUntilUp(victim);

      const accepted = answers.filter(({ status }) => status === 201);
      const tally = new Map<string, number>();
      for (const { status, body } of answers) {
        const answer = status === 201 ? '201' : `${status} ${String(body.code)}`;
        tally.set(answer, (tally.get(answer) ?? 0) + 1);
      }
      expect(Object.fromEntries(tally)).toEqual({
        '201': stock,
        '409 sold-out': buyers - stock,
      });
      const byId = new Map(
        accepted.map(({ userId, body }) => [(body.order as { _id: string })._id, userId]),
      );
      expect(byId.size).toBe(stock);

      // All become CONFIRMED, with the answered id and user; a scan may have to send some again.
      await eventually(async () => {
        const orders = await storedOrders(system, saleId);
        expect(orders.filter(({ status }) => status !== 'CONFIRMED')).toEqual([]);
        expect(new Map(orders.map(({ id, userId }) => [id, userId]))).toEqual(byId);
      }, 60_000);
      await eventually(async () => expect(await unrecordedCount(system)).toBe(0), 30_000);

      // Stock balances: each unit in one order, the same in the ledger, none left.
      const orders = await storedOrders(system, saleId);
      expect(new Set(orders.flatMap(({ units }) => units ?? [])).size).toBe(stock);
      expect(Object.fromEntries(await heldUnits(system, saleId))).toEqual(
        Object.fromEntries(orders.map(({ id, units }) => [id, units])),
      );
      const { products, fenced } = await snapshotOf(system, saleId);
      expect(fenced).toBe(false);
      expect(products[productId]).toMatchObject({ last: stock, available: 0, gone: 0 });

      // Every status event ended as exactly one stored notification.
      await eventually(async () => {
        const stored = await system.mongo
          .db()
          .collection('notifications')
          .countDocuments({ 'data.orderId': { $in: [...byId.keys()] } });
        expect(stored).toBe(stock);
      }, 60_000);
    },
    240_000,
  );
});
