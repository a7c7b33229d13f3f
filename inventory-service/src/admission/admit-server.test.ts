import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { admitServer, type AdmitDeps } from './admit-server.ts';
import { ownsUnits, type OwningOrder, type RecentOrder } from './recent-orders.ts';

const order = (
  id: string,
  saleId: string,
  inventoryStatus: OwningOrder['inventoryStatus'] = 'RESERVED',
): OwningOrder => ({
  ...{ id, saleId, inventoryStatus, units: [`${saleId}:p:${id}`] },
  createdAt: new Date(0),
  idempotencyDigest: `d${id}`,
  requestFingerprint: 'f',
});

let calls: string[];
let admitted: string;
let ready: string[];
let unknown: string[];
let outdated: string[];
let pieces: RecentOrder[][];
let missing: { records: string[]; keys: string[] };
let released: string[];
let forSale: string[];
let away: boolean;

beforeEach(() => {
  [calls, admitted, away] = [[], 'old', false];
  [ready, unknown, outdated, pieces, released, forSale] = [[], [], [], [], [], []];
  missing = { records: [], keys: [] };
});

const among = <T extends RecentOrder>(orders: readonly T[], ids: readonly string[]): T[] =>
  orders.filter(({ id }) => ids.includes(id));

const deps: AdmitDeps = {
  clock: { now: () => 3_600_000 },
  log: createLogger({ service: 'test', level: 'silent' }),
  sales: {
    listLedgerReady: async () => {
      if (away) throw unavailable('away');
      return ready.map((saleId) => ({ saleId, putVersion: 1 }));
    },
  },
  recentOrders: {
    async *since(from) {
      calls.push(`since ${from.getTime()}`);
      yield* pieces;
    },
    stillOwning: async (orders) => {
      calls.push(`stillOwning ${orders.length}`);
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
    findForgotten: async (sales) => {
      const among = (ids: readonly string[]) =>
        sales.map(({ saleId }) => saleId).filter((saleId) => ids.includes(saleId));
      return { unknown: among(unknown), outdated: among(outdated) };
    },
    findMissing: async (orders) => {
      calls.push(`check ${orders.map(({ id }) => id).join()}`);
      return {
        records: among(orders.filter(ownsUnits), missing.records),
        keys: among(orders, missing.keys),
      };
    },
    findForSale: async (orders) => {
      calls.push(`forSale ${orders.map(({ id }) => id).join()}`);
      return among(orders, forSale);
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
      'stillOwning 0',
      'forSale ',
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
      'stillOwning 1',
      'forSale ',
      'check 3',
      'restore ',
      'stillOwning 1',
      'forSale ',
      'fence b',
      'admit 1',
    ]);
    expect(admitted).toBe('new');
  });

  it('closes a sale whose ledger would sell again what was sold', async () => {
    pieces = [[order('1', 'a', 'SOLD'), order('2', 'b', 'SOLD'), order('3', 'c', 'SOLD')]];
    // The third is still in its record: it was not shipped yet.
    missing = { records: ['1', '2'], keys: [] };
    forSale = ['2'];
    expect(await admitServer(deps)).toBe(true);
    expect(calls).toContain('forSale 1,2');
    expect(calls).toContain('fence b');
  });

  it('closes a sale whose settings were put again since, and each once', async () => {
    ready = ['a', 'b', 'checked'];
    outdated = ['a', 'checked'];
    pieces = [[order('1', 'a')]];
    missing = { records: ['1'], keys: [] };
    expect(await admitServer(deps)).toBe(true);
    expect(calls).toContain('fence a');
  });

  it('admits nothing while MongoDB is away', async () => {
    away = true;
    await expect(admitServer(deps)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(admitted).toBe('old');
  });
});
