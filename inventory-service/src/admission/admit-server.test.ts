import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { admitServer, type AdmitDeps } from './admit-server.ts';
import type { HeldOrder } from './recent-orders.ts';

const order = (id: string, saleId: string): HeldOrder => ({
  id,
  saleId,
  createdAt: new Date(0),
  idempotencyDigest: `d${id}`,
  requestFingerprint: 'f',
});

let calls: string[];
let admitted: string;
let ready: string[];
let unknown: string[];
let pieces: HeldOrder[][];
let missing: { records: string[]; keys: string[] };
let released: string[];
let away: boolean;

beforeEach(() => {
  [calls, admitted, ready, unknown, pieces, released, away] = [[], 'old', [], [], [], [], false];
  missing = { records: [], keys: [] };
});

const among = (orders: readonly HeldOrder[], ids: readonly string[]) =>
  orders.filter(({ id }) => ids.includes(id));

const deps: AdmitDeps = {
  clock: { now: () => 3_600_000 },
  log: createLogger({ service: 'test', level: 'silent' }),
  sales: {
    listLedgerReady: async () => {
      if (away) throw unavailable('away');
      return ready;
    },
  },
  recentOrders: {
    async *since(from) {
      calls.push(`since ${from.getTime()}`);
      yield* pieces;
    },
    stillHeld: async (orders) => {
      calls.push(`stillHeld ${orders.length}`);
      return orders.filter(({ id }) => !released.includes(id));
    },
  },
  server: {
    findUnchecked: async () => (admitted === 'new' ? [] : [{ shard: 1, runId: 'new' }]),
    shardOf: (saleId) => (saleId.startsWith('checked') ? 0 : 1),
    admit: async (runs) => {
      calls.push(`admit ${runs.map(({ shard }) => shard).join()}`);
      admitted = String(runs[0]?.runId);
    },
    findUnknown: async (saleIds) => saleIds.filter((saleId) => unknown.includes(saleId)),
    findMissing: async (orders) => {
      calls.push(`check ${orders.map(({ id }) => id).join()}`);
      return { records: among(orders, missing.records), keys: among(orders, missing.keys) };
    },
    restoreKeys: async (orders) => void calls.push(`restore ${orders.map(({ id }) => id).join()}`),
    fence: async (saleIds) => void calls.push(`fence ${saleIds.join()}`),
  },
};

describe('admitServer', () => {
  it('leaves a server alone that was checked in this run', async () => {
    admitted = 'new';
    expect(await admitServer(deps)).toBe(false);
    expect(calls).toEqual([]);
  });

  it('does not ask for sales of shards that were checked', async () => {
    pieces = [[order('1', 'checked')]];
    unknown = ready = ['checked'];
    missing = { records: ['1'], keys: ['1'] };
    expect(await admitServer(deps)).toBe(true);
    expect(calls).toEqual([
      'since 2700000',
      'check ',
      'restore ',
      'stillHeld 0',
      'fence ',
      'admit 1',
    ]);
  });

  it('looks back a quarter of an hour, closes what lost data, and admits last of all', async () => {
    pieces = [
      [order('1', 'a'), order('2', 'b')],
      [order('3', 'c'), order('4', 'lost'), order('5', 'checked')],
    ];
    ready = ['a', 'b', 'c', 'lost', 'checked'];
    unknown = ['lost', 'checked'];
    missing = { records: ['2', '3'], keys: ['1'] };
    released = ['3'];
    expect(await admitServer(deps)).toBe(true);
    expect(calls).toEqual([
      'since 2700000',
      'check 1,2',
      'restore 1',
      'stillHeld 1',
      'check 3',
      'restore ',
      'stillHeld 1',
      'fence b',
      'admit 1',
    ]);
    expect(admitted).toBe('new');
  });

  it('admits nothing while MongoDB is away', async () => {
    away = true;
    await expect(admitServer(deps)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(admitted).toBe('old');
  });
});
