import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { HoldRecord, RebuildSlice, ReserveRequest } from '@quicksale/shared/stock-ledger';
import { givenSale, objectId, openLedger, request, saleSettings } from './ledger-fixture.ts';
import type { LedgerFixture } from './ledger-fixture.ts';

jest.setTimeout(20_000);

let fixture: LedgerFixture;
let saleId: string;
let product: string;
let won: ReserveRequest;
let record: HoldRecord;
beforeAll(async () => {
  fixture = await openLedger(1);
});
afterAll(() => fixture.close());

/** A sale in which every kind of key is in use: limit, deadline, numbers that came back. */
beforeEach(async () => {
  await fixture.admit();
  product = objectId();
  saleId = await givenSale(
    fixture,
    { [product]: 9 },
    { opensAtMs: 1, perBuyerLimit: 100, holdMs: 3_600_000 },
  );
  won = request({ [product]: 3 });
  const [reply] = await fixture.ledger.reserve(saleId, [won]);
  if (reply?.status !== 'reserved') throw new Error();
  record = reply.record;
  await fixture.ledger.release(saleId, [{ orderId: won.orderId, units: { [product]: [1] } }]);
});

/** Every operation, each in a form that would change something. */
const operations: Record<string, () => Promise<unknown>> = {
  reserve: async () =>
    fixture.ledger.reserve(
      saleId,
      [{ ...won, userId: won.userId, digest: freshDigest, orderId: freshId }],
      [won.orderId],
    ),
  release: async () =>
    fixture.ledger.release(saleId, [{ orderId: won.orderId, units: record.units }]),
  settle: async () => fixture.ledger.settle(saleId, [won.orderId]),
  ship: async () => fixture.ledger.ship(saleId, [{ orderId: won.orderId, units: record.units }]),
  'claim-due': async () => fixture.ledger.claimDue(0, { leaseMs: 1_000, limit: 10 }),
  'read-holds': async () => fixture.ledger.readHolds(saleId, [won.orderId, freshId]),
  'claim-unrecorded': async () =>
    fixture.ledger.claimUnrecorded(0, { ageMs: 0, leaseMs: 1_000, limit: 10 }),
  'mark-unrecorded': async () => fixture.ledger.markUnrecorded(saleId, [won.orderId]),
  raise: async () => fixture.ledger.raise(saleId, product, 20),
  'put-sale': async () =>
    fixture.ledger.putSale(
      saleSettings({
        saleId,
        settingsVersion: 2,
        products: [{ productId: product, price: 1, away: false }],
      }),
      true,
    ),
  fence: async () => fixture.ledger.fence(saleId, 1),
  snapshot: async () => fixture.ledger.snapshot(saleId),
  rebuild: async () => fixture.ledger.rebuild(saleId, { epoch: 9, slice: 0 }, { kind: 'begin' }),
};
const freshId = objectId();
const freshDigest = 'd'.repeat(64);

describe('a server that was not checked', () => {
  it.each(Object.entries(operations))('%s does nothing', async (_, call) => {
    for (const runId of ['', 'f'.repeat(40)]) {
      await fixture.admit(runId);
      const before = await fixture.dump();
      const answer = await call();
      expect(JSON.stringify(answer)).toContain('not_admitted');
      expect(await fixture.dump()).toEqual(before);
    }
    await fixture.connection.client.del(fixture.keys.admitted(0));
    expect(JSON.stringify(await call())).toContain('not_admitted');
  });
});

/** Keys by role, as the scripts' headers name them. */
const keyOf: Record<string, () => string> = {
  admitted: () => fixture.keys.admitted(0),
  sale: () => fixture.keys.sale(saleId).sale,
  stock: () => fixture.keys.sale(saleId).stock,
  buyers: () => fixture.keys.sale(saleId).buyers,
  holds: () => fixture.keys.sale(saleId).holds,
  due: () => fixture.keys.sale(saleId).due,
  unrecorded: () => fixture.keys.sale(saleId).unrecorded,
  bare: () => fixture.keys.sale(saleId).bare,
  idem: () => fixture.keys.idem(saleId, freshDigest),
  free: () => fixture.keys.free(saleId, product),
};
const keysOf: Record<string, readonly string[]> = {
  reserve: Object.keys(keyOf),
  release: ['admitted', 'sale', 'stock', 'buyers', 'holds', 'due', 'unrecorded', 'bare', 'free'],
  settle: ['admitted', 'sale', 'stock', 'holds', 'due'],
  ship: ['admitted', 'sale', 'stock', 'holds', 'due', 'unrecorded'],
  'claim-due': ['admitted', 'due'],
  'read-holds': ['admitted', 'sale', 'holds', 'unrecorded', 'due'],
  'claim-unrecorded': ['admitted', 'unrecorded'],
  'mark-unrecorded': ['admitted', 'sale', 'holds', 'unrecorded'],
  raise: ['admitted', 'sale', 'stock'],
  'put-sale': ['admitted', 'sale', 'stock'],
  fence: ['admitted', 'sale'],
  snapshot: ['admitted', 'sale', 'stock', 'holds', 'unrecorded'],
  rebuild: ['admitted', 'sale'],
};

async function failsWithoutEffect(call: () => Promise<unknown>): Promise<void> {
  const before = await fixture.dump();
  await expect(call()).rejects.toMatchObject({ code: 'internal' });
  expect(await fixture.dump()).toEqual(before);
}

describe('fault 7: a key of the wrong type', () => {
  const pairs = Object.entries(keysOf).flatMap(([script, roles]) =>
    roles.map((role) => [script, role] as const),
  );
  it.each(pairs)('%s with a poisoned %s key fails without any effect', async (script, role) => {
    const key = keyOf[role]?.() ?? '';
    await fixture.connection.client.del(key);
    await fixture.connection.client.lpush(key, 'poison');
    await failsWithoutEffect(operations[script] ?? (() => Promise.resolve()));
    await fixture.connection.client.del(key);
  });
});

describe('fault 7: a slice of a rebuild', () => {
  const write = (change: Partial<RebuildSlice> = {}) =>
    fixture.ledger.rebuild(
      saleId,
      { epoch: 9, slice: 1 },
      {
        kind: 'write',
        counters: [{ productId: product, last: 9, next: 4, available: 6, held: 3, gone: 0 }],
        buyers: [{ userId: won.userId, units: 2 }],
        records: [record],
        struck: [won.orderId],
        free: [{ productId: product, numbers: [2, 3] }],
        keys: [{ digest: 'e'.repeat(64), orderId: freshId, fingerprint: 'f', seconds: 60 }],
        ...change,
      },
    );
  beforeEach(() => operations.rebuild?.());

  it.each(['stock', 'buyers', 'holds', 'due', 'unrecorded', 'free'])(
    'with a poisoned %s key fails without any effect',
    async (role) => {
      const key = keyOf[role]?.() ?? '';
      await fixture.connection.client.del(key);
      await fixture.connection.client.lpush(key, 'poison');
      await failsWithoutEffect(() => write());
      await fixture.connection.client.del(key);
    },
  );

  it('with a malformed number fails without any effect', async () => {
    for (const number of [-1, 1.5, NaN, Infinity]) {
      await failsWithoutEffect(() => write({ buyers: [{ userId: 'u', units: number }] }));
      await failsWithoutEffect(() => write({ records: [{ ...record, expiresAt: number }] }));
      await failsWithoutEffect(() =>
        write({ free: [{ productId: product, numbers: [1, number] }] }),
      );
      const key = { digest: 'e'.repeat(64), orderId: freshId, fingerprint: 'f', seconds: number };
      await failsWithoutEffect(() => write({ keys: [key] }));
    }
    expect(await write()).toEqual({ status: 'ok' });
    expect(await write()).toEqual({ status: 'out_of_turn' });
  });
});

describe('fault 7: a value that is no number', () => {
  const values = ['x', '', '1.5', '-1', 'nan', 'inf', '9e99'];
  const counters = ['last', 'next', 'available', 'held', 'price'];
  it.each(counters.flatMap((name) => values.map((value) => [name, value] as const)))(
    'reserve with %s = "%s" fails without any effect',
    async (name, value) => {
      const { stock } = fixture.keys.sale(saleId);
      await fixture.connection.client.hset(stock, `${product}:${name}`, value);
      await failsWithoutEffect(operations.reserve ?? (() => Promise.resolve()));
    },
  );

  const tokens = { release: ['available', 'held'], ship: ['gone', 'held'], settle: ['held'] };
  it.each(Object.entries(tokens).flatMap(([name, all]) => all.map((it) => [name, it] as const)))(
    '%s with a malformed %s fails without effect',
    async (operation, name) => {
      const { stock } = fixture.keys.sale(saleId);
      for (const value of ['x', '', '1.5', '-1', 'nan', 'inf']) {
        await fixture.connection.client.hset(stock, `${product}:${name}`, value);
        await failsWithoutEffect(operations[operation] ?? (() => Promise.resolve()));
      }
    },
  );

  it('a malformed buyer count, free number or record fails without effect', async () => {
    const { client } = fixture.connection;
    const at = fixture.keys.sale(saleId);
    await client.hset(at.buyers, won.userId, 'many');
    await failsWithoutEffect(operations.reserve ?? (() => Promise.resolve()));
    await failsWithoutEffect(operations.release ?? (() => Promise.resolve()));
    await client.hset(at.buyers, won.userId, '2');
    for (const number of ['one', '0', '1.5', '8']) {
      await client.zadd(fixture.keys.free(saleId, product), 0, number);
      await failsWithoutEffect(operations.reserve ?? (() => Promise.resolve()));
      await client.zrem(fixture.keys.free(saleId, product), number);
    }
    for (const stored of ['', 'no line feed', '{"units":\n', '{}\n{}']) {
      await client.hset(at.holds, won.orderId, stored);
      for (const name of ['release', 'ship', 'settle'])
        await failsWithoutEffect(operations[name] ?? (() => Promise.resolve()));
    }
  });

  it('raise beside a malformed line fails without effect', async () => {
    const { stock } = fixture.keys.sale(saleId);
    await fixture.connection.client.hset(stock, `${product}:available`, 'x');
    await failsWithoutEffect(operations.raise ?? (() => Promise.resolve()));
  });
});

describe('fault 7: the script cache', () => {
  it('a server that forgot the scripts learns them from the next call', async () => {
    for (const call of Object.values(operations)) {
      await fixture.connection.client.script('FLUSH');
      expect(JSON.stringify(await call())).not.toContain('not_admitted');
    }
    await fixture.connection.client.script('FLUSH');
    const replies = await Promise.all(
      Array.from({ length: 9 }, () =>
        fixture.ledger
          .reserve(saleId, [request({ [product]: 1 })])
          .then(([reply]) => reply?.status),
      ),
    );
    expect(replies.filter((status) => status === 'reserved').length).toBeLessThanOrEqual(9);
  });

  it('two connections may talk in turns', async () => {
    const other = await openLedger(1);
    await other.connection.client.script('FLUSH');
    expect(await operations.raise?.()).toBe('raised');
    await other.close();
  });
});
