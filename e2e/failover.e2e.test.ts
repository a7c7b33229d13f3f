import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startServers, type Servers } from '@quicksale/local-stack';
import { createLogger } from '@quicksale/shared/log';
import { connectRedis, type RedisConnection } from '@quicksale/shared/redis';
import { eventually } from '@quicksale/shared/testing';
import { storedOrders, unrecordedCount } from './books.ts';
import { openLedgerGate } from './ledger-gate.ts';
import { expectBalanced, givenSale } from './sale-books.ts';
import { startSystem, type System } from './system.ts';

const buyers = 2_000;
const stock = 1_900;
const arrivalMs = 6_000;
/** Orders that the replica does not get. */
const lag = 50;

/** One ledger server; `folder` has its files. */
interface LedgerServer {
  url: string;
  connection: RedisConnection;
  servers: Servers;
  folder: string;
}

async function startLedgerServer(): Promise<LedgerServer> {
  const folder = await mkdtemp(join(tmpdir(), 'quicksale-failover-'));
  // The others are of no use here: any address will do.
  const unused = { MONGO_URL: '-', REDIS_URL: '-', KAFKA_BROKERS: '-' };
  const servers = await startServers({
    dataDirectory: folder,
    ports: 'free',
    env: { ...process.env, ...unused, REDIS_LEDGER_URL: undefined },
    report: () => undefined,
  });
  const url = servers.urls.REDIS_LEDGER_URL;
  const log = createLogger({ service: 'e2e', level: 'silent' });
  const connection = connectRedis({ url, name: 'one-of-two', log });
  await connection.start();
  return { url, connection, servers, folder };
}

describe(`fault 6: a failover to a lagging replica while ${buyers} buyers want ${stock} units`, () => {
  let gate: Awaited<ReturnType<typeof openLedgerGate>>;
  let system: System;
  let primary: LedgerServer;
  let replica: LedgerServer;
  beforeAll(async () => {
    [primary, replica] = await Promise.all([startLedgerServer(), startLedgerServer()]);
    gate = await openLedgerGate(primary.url);
    process.env.REDIS_LEDGER_URL = gate.url;
    system = await startSystem({ name: 'failover' });
  }, 180_000);
  afterAll(async () => {
    await system?.stop();
    await gate?.close();
    for (const one of [primary, replica]) {
      await one?.connection.stop();
      await one?.servers.stop();
      if (one) await rm(one.folder, { recursive: true, force: true });
    }
  }, 60_000);

  async function follow(): Promise<void> {
    await replica.connection.client.replicaof('127.0.0.1', new URL(primary.url).port);
    await eventually(async () => {
      const state = await replica.connection.client.info('replication');
      expect(state).toContain('master_link_status:up');
    });
  }

  /** Where the replica is made primary before the old one has stopped answering. */
  async function failOver(): Promise<void> {
    await replica.connection.client.replicaof('NO', 'ONE');
    gate.moveTo(replica.url);
    [primary, replica] = [replica, primary];
  }

  /** One try of each of so many buyers. */
  async function tryToBuy(count: number, productId: string): Promise<unknown[]> {
    const answers = await Promise.all(
      Array.from({ length: count }, () => {
        const { token } = system.signIn();
        return system.api.placeOrder({ token, key: 'probe', productId });
      }),
    );
    return answers.map(({ status, body }) => (status === 201 ? status : body.code));
  }

  const inventory = 'inventory-service';
  /** `letIn`: the last buyers may come. */
  type Way = (productId: string, accepted: () => number, letIn: () => void) => Promise<void>;
  const ways: Record<string, Way> = {
    'nobody sells before the new server was checked': async (productId) => {
      await system.supervisor.stopPart(inventory);
      await failOver();
      gate.cut(replica.url);
      await eventually(async () => {
        expect(primary.connection.runId()).toBe(system.ledgerRedis.runId());
      });
      for (let round = 0; round < 5; round += 1) {
        expect(new Set(await tryToBuy(10, productId))).toEqual(new Set(['dependency-unavailable']));
        await sleep(200);
      }
      await system.supervisor.start([inventory]);
    },
    'order-service still sells from the old primary when the new one is in use': async (
      _productId,
      accepted,
      letIn,
    ) => {
      await system.supervisor.stopPart(inventory);
      await failOver();
      // It comes up on the new server; the others hold on to their connections.
      await system.supervisor.start([inventory]);
      const before = accepted();
      letIn();
      await eventually(() => expect(accepted()).toBeGreaterThan(before + 20));
      gate.cut(replica.url);
    },
  };

  it.each(Object.keys(ways))(
    '%s; every 201 stands, no unit has two owners',
    async (way) => {
      await follow();
      const { productId, saleId } = await givenSale(system, stock, stock, { perBuyerLimit: 1 });
      const answeredAt: number[] = [];
      const moved = Promise.withResolvers<void>();
      const move = eventually(() => expect(answeredAt.length).toBeGreaterThan(lag)).then(
        async () => {
          // From here on nothing reaches the replica: nobody listens on that port.
          await replica.connection.client.replicaof('127.0.0.1', '1');
          const atBreak = answeredAt.length;
          await eventually(() => expect(answeredAt.length).toBeGreaterThan(atBreak + lag));
          await ways[way]?.(productId, () => answeredAt.length, moved.resolve);
        },
      );
      move.then(moved.resolve, moved.reject);
      const answers = await Promise.all(
        Array.from({ length: buyers }, async (_, index) => {
          const { token, userId } = system.signIn();
          await sleep((index / buyers) * arrivalMs);
          // Some come only afterwards, to a ledger that has units of others for sale.
          if (index >= buyers - 150) await moved.promise;
          const order = { token, key: `failover-${way.length}`, productId, limitMs: 60_000 };
          const answer = await system.api.placeOrderUntilFinal(order);
          if (answer.status === 201) answeredAt.push(performance.now());
          return { userId, ...answer };
        }),
      );
      await move;
      const refused = answers.filter(({ status }) => status !== 201);
      expect(refused.filter(({ body }) => body.code !== 'sold-out')).toEqual([]);
      const orders = await eventually(async () => {
        expect(await unrecordedCount(system)).toBe(0);
        await expectBalanced(system, saleId);
        const all = await storedOrders(system, saleId);
        expect(all.filter(({ status }) => status !== 'CONFIRMED')).toEqual([]);
        return all;
      }, 40_000);
      const byId = new Map(orders.map((order) => [order.id, order]));
      for (const { status, userId, body } of answers.filter((one) => one.status === 201)) {
        const order = byId.get((body.order as { _id: string })._id);
        expect([status, order]).toMatchObject([201, { userId, units: [expect.any(String)] }]);
      }
      const units = orders.flatMap((order) => order.units ?? []);
      expect(new Set(units).size).toBe(units.length);
      expect(units.length).toBeLessThanOrEqual(stock);
      // The loss was noticed: the sale was closed and written anew.
      const leases = system.mongo
        .db()
        .collection<{ _id: string; epoch: number }>('ledger-rebuilds');
      const lease = await leases.findOne({ _id: saleId });
      expect(lease?.epoch).toBeGreaterThan(1);
      const gaps = answeredAt.map((at, index) => at - (answeredAt[index - 1] ?? at));
      process.stdout.write(
        `failover, ${way}: ${answeredAt.length} accepted, ${orders.length} orders, ` +
          `longest time without a 201 ${Math.round(Math.max(...gaps))} ms, epoch ${lease?.epoch}\n`,
      );
    },
    120_000,
  );
});
