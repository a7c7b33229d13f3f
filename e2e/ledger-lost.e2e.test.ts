import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ledgerKeys } from '@quicksale/shared/stock-ledger';
import { eventually } from '@quicksale/shared/testing';
import { snapshotOf, storedOrders, unrecordedCount } from './books.ts';
import { openLedgerFiles, type LedgerFiles } from './ledger-files.ts';
import { expectBalanced, givenSale } from './sale-books.ts';
import { startServiceProcess, type ServiceProcess } from './service-process.ts';
import { startSystem, type System } from './system.ts';

const buyers = 2_000;
const stock = 1_500;
/** Buyers arrive over this time; the last of them, too many for what is left, only at the loss. */
const arrivalMs = 6_000;
const early = 1_300;
const setBackMs = 300;

describe(`a ledger that is lost while ${buyers} buyers want ${stock} units`, () => {
  let system: System;
  let files: LedgerFiles;
  let crippled: ServiceProcess | undefined;
  beforeAll(async () => {
    system = await startSystem({ name: 'lost', ownServers: 'ledger' });
    files = await openLedgerFiles(system);
  }, 240_000);
  afterAll(async () => {
    await crippled?.stop();
    await system?.stop();
  }, 60_000);

  /** `accepted`: how many buyers have their 201; `letIn`: the last buyers may come. */
  type Loss = (accepted: () => number, letIn: () => void) => Promise<void>;
  const losses: Record<string, Loss> = {
    'fault 5: is emptied': async (_accepted, letIn) => {
      letIn();
      await system.ledgerRedis.client.flushall();
    },
    [`fault 4: is set back ${setBackMs} ms`]: async (accepted, letIn) => {
      const copy = await files.copy();
      letIn();
      // On a busy machine nothing may have happened in that time.
      const before = accepted();
      await sleep(setBackMs);
      await eventually(() => expect(accepted()).toBeGreaterThan(before + 20), 10_000);
      await files.restartOn(() => files.setBackTo(copy));
    },
    'fault 5: has lost the tail of its log': async (_accepted, letIn) => {
      letIn();
      await files.restartOn(async () => {
        const names = (await readdir(files.folder)).filter((name) => name.endsWith('.incr.aof'));
        const log = join(files.folder, names.sort().at(-1) ?? '');
        const { size } = await stat(log);
        await truncate(log, Math.max(0, size - 200_000));
      });
    },
  };

  it.each(Object.keys(losses))(
    '%s opens its sale again by itself; every 201 stands',
    async (what) => {
      const { productId, saleId } = await givenSale(system, stock, stock, { perBuyerLimit: 1 });
      const answeredAt: number[] = [];
      const startedAt = performance.now();
      const last = Promise.withResolvers<void>();
      let lostAt = 0;
      const loss = sleep(arrivalMs / 3).then(async () => {
        lostAt = performance.now();
        await losses[what]?.(() => answeredAt.length, last.resolve);
      });
      const answers = await Promise.all(
        Array.from({ length: buyers }, async (_, index) => {
          const { token, userId } = system.signIn();
          await sleep((index / buyers) * arrivalMs);
          if (index >= early) await last.promise;
          const order = { token, key: `lost-${what}`, productId, limitMs: 120_000 };
          const answer = await system.api.placeOrderUntilFinal(order);
          if (answer.status === 201) answeredAt.push(performance.now());
          return { userId, ...answer };
        }),
      );
      await loss;
      const accepted = answers.filter(({ status }) => status === 201);
      const refused = answers.filter(({ status }) => status !== 201);
      expect(new Set(refused.map(({ body }) => body.code))).toEqual(new Set(['sold-out']));

      // Every 201 stands, and nothing is left over.
      await eventually(async () => {
        expect(await unrecordedCount(system)).toBe(0);
        const orders = await storedOrders(system, saleId);
        const byId = new Map(orders.map((order) => [order.id, order]));
        for (const { userId, body } of accepted) {
          const { _id } = body.order as { _id: string };
          expect(byId.get(_id)).toMatchObject({ userId, status: 'CONFIRMED' });
        }
        expect(orders.filter(({ outbox }) => outbox?.length)).toEqual([]);
      }, 120_000);
      // What a lost hold gave back can be sold; then no unit is left, and each has one owner.
      for (;;) {
        const { token } = system.signIn();
        const order = { token, key: `more-${what}`, productId, limitMs: 60_000 };
        const { status } = await system.api.placeOrderUntilFinal(order);
        if (status === 409) break;
        expect(status).toBe(201);
      }
      await eventually(async () => {
        expect(await unrecordedCount(system)).toBe(0);
        await expectBalanced(system, saleId);
      }, 60_000);
      const orders = await storedOrders(system, saleId);
      const units = orders.flatMap((order) => order.units ?? []);
      expect(units.length).toBe(stock);
      expect(new Set(units).size).toBe(stock);
      const perBuyer = Map.groupBy(orders, ({ userId }) => userId);
      expect(Math.max(...[...perBuyer.values()].map((all) => all.length))).toBe(1);

      const [lease] = await system.mongo
        .db()
        .collection<{ _id: string; epoch: number }>('ledger-rebuilds')
        .find({ _id: saleId })
        .toArray();
      expect(lease?.epoch).toBeGreaterThan(1);
      const gaps = answeredAt
        .sort((a, b) => a - b)
        .map((at, index) => at - (answeredAt[index - 1] ?? at));
      process.stdout.write(
        `ledger ${what} ${Math.round(lostAt - startedAt)} ms after the first buyer came: ` +
          `${accepted.length} accepted, longest time without a 201 ` +
          `${Math.round(Math.max(...gaps))} ms, epoch ${lease?.epoch}\n`,
      );
    },
    300_000,
  );

  it('fault 4, the control: with nobody to check it, the books tell, and the unit index holds', async () => {
    const { productId, saleId } = await givenSale(system, 200, 200);
    const buy = async (count: number) => {
      const answers = await Promise.all(
        Array.from({ length: count }, async () => {
          const { token, userId } = system.signIn();
          const answer = await system.api.placeOrder({ token, key: 'control', productId });
          return { userId, ...answer };
        }),
      );
      return Object.groupBy(answers, ({ status }) => status);
    };
    const name = 'inventory-service';
    await system.supervisor.stopPart(name);
    const off = { QUICKSALE_REPAIRS_OFF: 'admission,rebuild,auditor' };
    crippled = await startServiceProcess(system, name, off);
    const promised = (await buy(30))[201] ?? [];
    const copy = await files.copy();
    promised.push(...((await buy(30))[201] ?? []));
    expect(promised).toHaveLength(60);
    // An order that is announced later would be a sign.
    const before = await eventually(async () => {
      const orders = await storedOrders(system, saleId);
      expect(orders.filter(({ status }) => status === 'CONFIRMED')).toHaveLength(60);
      await expectBalanced(system, saleId);
      return orders;
    }, 30_000);

    await files.restartOn(() => files.setBackTo(copy));
    const refused = await eventually(async () => {
      const answers = await buy(5);
      expect(answers[503]?.map(({ body }) => body.code)).toContain('dependency-unavailable');
      return answers;
    });
    expect(refused[201]).toBeUndefined();
    const keys = ledgerKeys(system.namespace, Number(system.env.LEDGER_SHARDS ?? 16));
    // This test's own connection may come back later than that of the services.
    await eventually(async () => {
      for (let shard = 0; shard < keys.shards; shard += 1)
        await system.ledgerRedis.client.set(keys.admitted(shard), system.ledgerRedis.runId());
    });

    // Nobody was told, and the units of 30 orders are for sale again.
    const setBack = await snapshotOf(system, saleId);
    expect([setBack.fenced, setBack.records.length]).toEqual([false, 30]);
    await expect(expectBalanced(system, saleId)).rejects.toThrow();
    // The services' own connections may not be back yet: until then nothing happens.
    const later = await eventually(async () => {
      const answers = await buy(50);
      promised.push(...(answers[201] ?? []));
      expect(answers[503]?.map(({ body }) => body.code)).toContain('sale-fenced');
      return answers;
    }, 30_000);
    await expect(expectBalanced(system, saleId)).rejects.toThrow();
    const expectPromisesKept = async () => {
      const orders = await storedOrders(system, saleId);
      const units = orders.flatMap((order) => order.units ?? []);
      expect(new Set(units).size).toBe(units.length);
      const byId = new Map(orders.map((order) => [order.id, order]));
      for (const { id, units: own } of before) expect(byId.get(id)).toMatchObject({ units: own });
      for (const { userId, body } of promised) {
        const order = byId.get((body.order as { _id: string })._id);
        expect(order).toMatchObject({ userId, units: [expect.any(String)] });
      }
    };
    await expectPromisesKept();

    await crippled.stop();
    await system.supervisor.start([name]);
    await eventually(async () => {
      expect(await unrecordedCount(system)).toBe(0);
      await expectBalanced(system, saleId);
    }, 60_000);
    await expectPromisesKept();
    process.stdout.write(
      `control: of 50 buyers after the loss ${later[201]?.length ?? 0} were accepted, ` +
        `${later[503]?.length ?? 0} told to come again\n`,
    );
  }, 120_000);
});
