import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { expect } from '@jest/globals';
import { createRedisStockLedger, type StockLedger } from '@quicksale/shared/stock-ledger';
import { parseHoldRecord } from '../src/stock-ledger/hold-record.ts';
import { createMemoryStockLedger } from '../src/stock-ledger/memory-stock-ledger.ts';
import { loadLedgerScripts } from '../src/stock-ledger/scripts.ts';
import type { LedgerFixture } from './ledger-fixture.ts';
import { request, saleSettings } from './ledger-fixture.ts';

export interface Fault {
  script: string;
  from: string;
  to: string;
}

const folder = new URL('../src/stock-ledger/scripts/', import.meta.url);
/** The ledger's clock is the only thing that a model cannot follow: the copies read a list. */
const clock = "redis.call('LRANGE', KEYS[1] .. ':clock', 0, 1)";

/** The adapter on copies of the scripts that read the test's clock; `fault` breaks one of them. */
export async function ledgerWithClock(fixture: LedgerFixture, fault?: Fault) {
  const copy = await mkdtemp(join(tmpdir(), 'quicksale-scripts-'));
  await cp(folder, copy, { recursive: true });
  for (const name of ['reserve', 'claim-due', 'claim-unrecorded', 'read-holds'])
    await replaceIn(join(copy, `${name}.lua`), "redis.call('TIME')", clock);
  if (fault) await replaceIn(join(copy, `${fault.script}.lua`), fault.from, fault.to);
  const scripts = loadLedgerScripts(pathToFileURL(`${copy}/`));
  await rm(copy, { recursive: true });
  const { connection, keys } = fixture;
  return createRedisStockLedger({ connection, keys, scripts });
}

async function replaceIn(file: string, from: string, to: string): Promise<void> {
  const source = await readFile(file, 'utf8');
  if (!source.includes(from)) throw new Error(`${file} has no ${from}`);
  await writeFile(
    file,
    source.replace(from, () => to),
  );
}

const small = (max: number, min = 0) => fc.integer({ min, max });
const order = fc.record({
  user: small(1),
  kind: fc.constantFrom('order', 'order', 'bare', 'house'),
  key: small(40),
  replaces: fc.option(small(40), { freq: 2 }),
  hold: fc.option(small(5), { freq: 2 }),
  other: fc.boolean(),
  quantity: small(3, 1),
  second: small(2),
});
const units = fc.record({ order: small(5), numbers: fc.array(small(9, 1), { maxLength: 4 }) });
const sale = small(1);
const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(
      fc.constant('reserve'),
      sale,
      fc.array(order, { minLength: 1, maxLength: 4 }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(
      fc.constant('release'),
      sale,
      fc.array(units, { minLength: 1, maxLength: 3 }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constant('ship'), sale, fc.array(units, { minLength: 1, maxLength: 3 })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constant('settle'),
      sale,
      fc.array(small(5), { minLength: 1, maxLength: 3 }),
    ),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constant('claim'), sale, small(3, 1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('raise'), sale, small(12)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('put'), sale, small(7)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('read'), sale, small(5)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('pass'), sale, small(2_000, 1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('lose'), sale, small(3)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('fence'), sale, small(20)) },
);
type Command = readonly [string, number, unknown];
interface OrderDraw {
  user: number;
  kind: 'order' | 'bare' | 'house';
  key: number;
  replaces: number | null;
  hold: number | null;
  other: boolean;
  quantity: number;
  second: number;
}
interface UnitsDraw {
  order: number;
  numbers: number[];
}

const hex = (prefix: string, n: number, length = 24) =>
  prefix + String(n).padStart(length - 1, '0');

/** Runs random command sequences on both ledgers; answers how many commands were compared. */
export async function runModel(
  fixture: LedgerFixture,
  ledger: StockLedger,
  options: { runs: number; seed: number },
): Promise<number> {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 20, maxLength: 40, size: 'max' }),
      async (commands) => {
        await empty(fixture);
        compared += await compareAll(fixture, ledger, commands);
      },
    ),
    { numRuns: options.runs, seed: options.seed, endOnFailure: true },
  );
  return compared;
}

async function empty({ connection, dump, admit }: LedgerFixture): Promise<void> {
  const names = Object.keys(await dump());
  if (names.length > 0) await connection.client.del(...names);
  await admit();
}

async function compareAll(
  fixture: LedgerFixture,
  ledger: StockLedger,
  commands: readonly Command[],
): Promise<number> {
  const { keys, connection } = fixture;
  let now = 1_700_000_000_000;
  const model = createMemoryStockLedger({ keys, now: () => now });
  const setClock = () =>
    Promise.all(
      Array.from({ length: keys.shards }, async (_, shard) => {
        const key = `${keys.admitted(shard)}:clock`;
        await connection.client
          .multi()
          .del(key)
          .rpush(key, Math.floor(now / 1000), (now % 1000) * 1000)
          .exec();
      }),
    );
  const saleId = (n: number) => hex('a', n);
  const products = [hex('b', 0), hex('b', 1)] as const;
  const ids: string[] = [];
  const recent = (back: number) => ids.at(-1 - back) ?? hex('c', 0);
  let version = 1;

  /** The same call on both, then answers and everything that is stored. */
  async function both(call: (it: Pick<StockLedger, keyof StockLedger>) => unknown): Promise<void> {
    const real = await call(ledger);
    const expected = await call(model as unknown as StockLedger);
    expect(real).toEqual(expected);
    expect(readable(await fixture.dump())).toEqual(model.dump());
  }

  const put = (n: number, options: number, create: boolean) => {
    const timed = n === 1 ? { opensAtMs: 1_700_000_000_500, perBuyerLimit: 4 + (options & 1) } : {};
    return both((it) =>
      it.putSale(
        saleSettings({
          saleId: saleId(n),
          settingsVersion: version,
          state: options === 7 ? 'paused' : options === 6 ? 'closed' : 'live',
          holdMs: options & 2 ? 1_500 : 0,
          products: products.map((productId, i) => ({
            productId,
            price: 100 + version + i,
            away: options === 5 && i === 1,
          })),
          ...timed,
        }),
        create,
      ),
    );
  };
  const draw = (wanted: OrderDraw) => {
    const id = hex('c', ids.length + 1);
    ids.push(id);
    const [first, second] = wanted.other ? [products[1], products[0]] : products;
    return request(
      { [first]: wanted.quantity, ...(wanted.second > 0 && { [second]: wanted.second }) },
      {
        orderId: id,
        userId: hex('d', wanted.user),
        kind: wanted.kind,
        digest: hex(wanted.kind === 'bare' ? 'e' : 'f', wanted.key, 64),
        fingerprint: hex('f', wanted.key === 3 ? ids.length % 2 : 0, 64),
        ...(wanted.kind === 'bare' && { ttlMs: 700 }),
        ...(wanted.replaces !== null && { replaces: recent(wanted.replaces % 8) }),
        // Now and then an order does not know all that its hold has.
        ...(wanted.hold !== null && {
          holdId: recent(wanted.hold + 1),
          holdProductIds: wanted.key % 4 === 0 ? [] : products,
        }),
      },
    );
  };
  const name = (n: number, { order: back, numbers }: UnitsDraw) => {
    const orderId = recent(back);
    // Half of the time what the record has, so that something happens.
    const own = model.holdOf(saleId(n), orderId);
    return { orderId, units: numbers.length < 3 && own ? own.units : { [products[0]]: numbers } };
  };

  await setClock();
  for (const n of [0, 1]) {
    await put(n, 2, true);
    for (const productId of products) await both((it) => it.raise(saleId(n), productId, 8));
  }
  for (const [what, n, input] of commands) {
    const id = saleId(n);
    if (what === 'reserve') {
      const requests = (input as OrderDraw[]).map(draw);
      await both((it) => it.reserve(id, requests, [recent(6)]));
    } else if (what === 'release' || what === 'ship') {
      const named = (input as UnitsDraw[]).map((one) => name(n, one));
      await both((it) => it[what](id, named));
    } else if (what === 'settle') {
      await both((it) => it.settle(id, (input as number[]).map(recent)));
    } else if (what === 'claim') {
      const limit = input as number;
      await both((it) => it.claimDue(keys.shardOf(id), { leaseMs: 300, limit }));
      await both((it) => it.claimUnrecorded(keys.shardOf(id), { ageMs: 500, leaseMs: 300, limit }));
    } else if (what === 'raise') {
      await both((it) => it.raise(id, products[0], input as number));
    } else if (what === 'put') {
      if ((input as number) !== 4) version += 1;
      await put(n, input as number, false);
    } else if (what === 'read') {
      await both((it) => it.readHolds(id, [recent(input as number), hex('c', 999_999)]));
      const digests = ['e', 'f'].map((kind) => hex(kind, input as number, 64));
      const asked = digests.map((digest) => ({ saleId: id, digest }));
      await both((it) => it.findKeys([...asked, { saleId: saleId(9), digest: hex('e', 1, 64) }]));
    } else if (what === 'lose') {
      const lost = recent(input as number);
      await connection.client.hdel(keys.sale(id).holds, lost);
      model.loseHold(id, lost);
      await both((it) => it.readHolds(id, [lost]));
    } else if (what === 'pass') {
      now += input as number;
      await setClock();
    } else await both((it) => it.fence(id, (input as number) === 0 ? 1 : 0));
  }
  return commands.length;
}

/** Redis' dump in the shape of the model's. */
function readable(dump: Record<string, unknown>): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(dump)) {
    if (/:admitted(:clock)?$/.test(key)) continue;
    if (Array.isArray(value)) {
      const flat = value as string[];
      const pairs = flat.flatMap((member, i) => (i % 2 ? [] : [[member, Number(flat[i + 1])]]));
      all[key] = Object.fromEntries(pairs as [string, number][]);
    } else if (key.includes(':holds:')) {
      const records = Object.entries(value as Record<string, string>);
      all[key] = Object.fromEntries(
        records.map(([id, stored]) => [id, parseHoldRecord(id, stored)]),
      );
    } else all[key] = value;
  }
  return all;
}
