import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startLedgerCluster, type LedgerCluster } from '@quicksale/local-stack';
import { toAppError } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { connectRedisServers } from '@quicksale/shared/redis';
import { eventually } from '@quicksale/shared/testing';
import { hashSlot } from '../src/redis/hash-slot.ts';
import { givenSale, objectId, openLedgerCluster, request } from './ledger-fixture.ts';
import type { LedgerStore } from './ledger-fixture.ts';
import { ledgerWithClock, runModel } from './ledger-model.ts';

// Servers that start again take their time.
jest.setTimeout(60_000);
const shards = 16;
const runs = Number(process.env.MODEL_RUNS ?? 16);
const seed = Number(process.env.MODEL_SEED ?? randomInt(2 ** 31));

const log = createLogger({ service: 'test', level: 'silent' });

let folder: string;
let cluster: LedgerCluster;
let store: LedgerStore;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qs-cluster-'));
  cluster = await startLedgerCluster({ dataDirectory: folder, env: process.env });
  store = await openLedgerCluster(cluster.url, shards);
});
afterAll(async () => {
  await store.close();
  await cluster.stop();
  await rm(folder, { recursive: true });
});

const serverOf = (shard: number) => store.servers.serverOf(store.keys.admitted(shard));
/** A sale in this shard, with a product of which there are 9. */
async function givenSaleIn(shard: number) {
  const product = objectId();
  let saleId = objectId();
  while (store.keys.shardOf(saleId) !== shard) saleId = objectId();
  await givenSale(store, { [product]: 9 }, { saleId });
  const reserve = async () => {
    const [reply] = await store.ledger.reserve(saleId, [request({ [product]: 1 })]);
    return reply?.status;
  };
  return { saleId, product, reserve };
}

it(`the scripts do on three masters what the ledger in memory does (seed ${seed})`, async () => {
  const tally = await runModel(store, await ledgerWithClock(store), { runs, seed });
  process.stdout.write(
    `ledger model on a cluster: ${tally.commands} commands in ${runs} runs, seed ${seed}, ` +
      `${tally.shards.size} shards on ${tally.servers.size} masters\n`,
  );
  expect(tally.shards.size).toBe(shards);
  expect(tally.servers.size).toBe(3);
}, 3_600_000);

describe('the stock that pages show', () => {
  it('comes from all masters, in the order that was asked for', async () => {
    const sales = await Promise.all(Array.from({ length: shards }, (_, n) => givenSaleIn(n)));
    await sales[3]?.reserve();
    const asked = sales.map(({ saleId, product }) => ({ saleId, productId: product }));
    const shown = await store.ledger.shownStock([...asked, { saleId: 'a', productId: 'b' }]);
    expect(shown).toEqual([
      ...sales.map((_, n) => ({ stock: 9, reserved: +(n === 3), available: 9 - +(n === 3) })),
      null,
    ]);
  });
});

describe('a master', () => {
  it('has a run id of its own, which another one does not take', async () => {
    const runIds = new Set(Array.from({ length: shards }, (_, n) => serverOf(n).runId()));
    expect(runIds.size).toBe(3);
    const sale = await givenSaleIn(0);
    const other = Array.from({ length: shards }, (_, n) => serverOf(n).runId()).find(
      (runId) => runId !== serverOf(0).runId(),
    );
    await serverOf(0).client.set(store.keys.admitted(0), other ?? '');
    expect(await sale.reserve()).toBe('not_admitted');
    await store.admit();
    expect(await sale.reserve()).toBe('reserved');
  });

  it('that is restarted keeps its sales closed until it is admitted, the others go on', async () => {
    const [mine, others] = [serverOf(0), serverOf(1)];
    expect(mine).not.toBe(others);
    const [here, there] = [await givenSaleIn(0), await givenSaleIn(1)];
    const before = mine.runId();
    const port = String(mine.client.options.port);
    const place = cluster.url.split(',').findIndex((url) => url.endsWith(`:${port}`));
    const part = cluster.names[place] ?? '';
    cluster.supervisor.kill(part);
    await cluster.supervisor.stopPart(part);
    const refused = { code: 'dependency-unavailable' };
    await eventually(() => expect(here.reserve()).rejects.toMatchObject(refused));
    expect(await there.reserve()).toBe('reserved');
    const shown = await store.ledger.shownStock(
      [here, there].map(({ saleId, product: productId }) => ({ saleId, productId })),
    );
    expect(shown).toEqual([null, { stock: 9, reserved: 1, available: 8 }]);

    // Who comes now waits for the others only, and is of use.
    const late = connectRedisServers({ url: cluster.url, name: 'late', log });
    await late.start();
    expect(await late.check?.()).toBeUndefined();
    expect(late.serverOf(store.keys.admitted(1)).runId()).toBe(others.runId());
    expect(() => late.serverOf(store.keys.admitted(0)).runId()).toThrow('is not connected');
    await late.stop();

    // A new connection knows no run id before it has asked for it, least of all an earlier one's.
    const known: unknown[] = [];
    mine.client.once('ready', () => {
      try {
        known.push(mine.runId());
      } catch (error) {
        known.push(toAppError(error).code);
      }
    });
    await cluster.supervisor.start([part]);
    // Reserved is no answer on the way: the new run knows the old one's mark, nobody sends it.
    const answers = new Set<string>();
    await eventually(async () => {
      answers.add(String(await here.reserve()));
      expect(answers).toContain('not_admitted');
    });
    expect([...answers]).toEqual(['not_admitted']);
    expect(known).toEqual(['dependency-unavailable']);
    expect(serverOf(0).runId()).not.toBe(before);
    await store.admit();
    expect(await here.reserve()).toBe('reserved');
  });
});

describe('a slot that moves', () => {
  it('takes its keys along, not its admission', async () => {
    const sale = await givenSaleIn(2);
    await sale.reserve();
    const slot = hashSlot(store.keys.admitted(2));
    const from = serverOf(2);
    const to = [0, 1, 3].map(serverOf).find((server) => server !== from) ?? from;
    const [source, target] = [
      String(await from.client.cluster('MYID')),
      String(await to.client.cluster('MYID')),
    ];
    await to.client.cluster('SETSLOT', slot, 'IMPORTING', source);
    await from.client.cluster('SETSLOT', slot, 'MIGRATING', target);
    const { host = '', port = 0 } = to.client.options;
    const keys = await from.client.cluster('GETKEYSINSLOT', slot, 1_000);
    await from.client.call('MIGRATE', host, port, '', 0, 5_000, 'KEYS', ...keys);
    for (const { client } of [to, from]) await client.cluster('SETSLOT', slot, 'NODE', target);

    // The node that is asked has the slot no more, unless that was found out meanwhile.
    const answer = await sale.reserve().catch((error: unknown) => toAppError(error).code);
    expect(['dependency-unavailable', 'not_admitted']).toContain(answer);
    await eventually(() => expect(serverOf(2)).toBe(to));
    expect(await sale.reserve()).toBe('not_admitted');
    await store.admit();
    expect(await sale.reserve()).toBe('reserved');
    expect(await store.ledger.snapshot(sale.saleId)).toMatchObject({
      products: { [sale.product]: { last: 9, available: 7 } },
    });
  });
});
