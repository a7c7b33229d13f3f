import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { expect } from '@jest/globals';
import {
  createRedisStockLedger,
  type ReserveRequest,
  type SaleSnapshot,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { parseHoldRecord } from '../src/stock-ledger/hold-record.ts';
import { createMemoryStockLedger } from '../src/stock-ledger/memory-stock-ledger.ts';
import { loadLedgerScripts } from '../src/stock-ledger/scripts.ts';
import { request, saleSettings, type LedgerStore } from './ledger-fixture.ts';
import { rebuildSteps } from './rebuild-steps.ts';

export interface Fault {
  script: string;
  from: string;
  to: string;
}

export const scriptFolder = new URL('../src/stock-ledger/scripts/', import.meta.url);
/** The ledger's clock is the only thing that a model cannot follow: the copies read a list. */
const clock = "redis.call('LRANGE', KEYS[1] .. ':clock', 0, 1)";

/** The adapter on copies of the scripts that read the test's clock; `fault` breaks one of them. */
export async function ledgerWithClock(store: LedgerStore, fault?: Fault) {
  const copy = await mkdtemp(join(tmpdir(), 'quicksale-scripts-'));
  await cp(scriptFolder, copy, { recursive: true });
  for (const name of ['reserve', 'claim-due', 'claim-unrecorded', 'read-holds'])
    await replaceIn(join(copy, `${name}.lua`), "redis.call('TIME')", clock);
  if (fault) await replaceIn(join(copy, `${fault.script}.lua`), fault.from, fault.to);
  const scripts = loadLedgerScripts(pathToFileURL(`${copy}/`));
  await rm(copy, { recursive: true });
  return createRedisStockLedger({ connection: store.servers, keys: store.keys, scripts });
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
const edge = fc.record({ which: small(3), offset: small(1, -1), order });
const sale = small(1);
/** A rebuild goes wrong at one of its steps, or at none of them. */
const rebuild = fc.record({
  kept: small(3),
  isLost: fc.boolean(),
  step: small(12),
  trouble: fc.constantFrom('none', 'twice', 'left out', 'epoch', 'count', 'stop'),
});
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
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant('mark'),
      sale,
      fc.array(small(5), { minLength: 1, maxLength: 3 }),
    ),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constant('claim'), sale, small(3, 1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('raise'), sale, small(12)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('put'), sale, small(7)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('read'), sale, small(5)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('snapshot'), sale, fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('pass'), sale, small(2_000, 1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('lose'), sale, small(3)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('edge'), sale, edge) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('expiry'), sale, edge) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('fence'), sale, small(20)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('rebuild'), sale, rebuild) },
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

interface EdgeDraw {
  which: number;
  offset: number;
  order: OrderDraw;
}
type RebuildDraw = typeof rebuild extends fc.Arbitrary<infer T> ? T : never;
/** What a run of the model went over. */
export interface ModelTally {
  commands: number;
  shards: Set<number>;
  servers: Set<string>;
}

const startMs = 1_700_000_000_000;
const opensAtMs = startMs + 1_500;
const closesAtMs = startMs + 4_000;
const bareTtlMs = 700;
const unrecordedAgeMs = 500;

const hex = (prefix: string, n: number, length = 24) =>
  prefix + String(n).padStart(length - 1, '0');

/** Runs random command sequences on both ledgers and compares; answers what was gone over. */
export async function runModel(
  store: LedgerStore,
  ledger: StockLedger,
  options: { runs: number; seed: number },
): Promise<ModelTally> {
  const tally: ModelTally = { commands: 0, shards: new Set(), servers: new Set() };
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 20, maxLength: 40, size: 'max' }),
      async (commands) => {
        await store.clear();
        await store.admit();
        const saleIds = chooseSales(store, run);
        run += 1;
        await compareAll(store, ledger, saleIds, commands);
        tally.commands += commands.length;
        for (const saleId of saleIds) {
          tally.shards.add(store.keys.shardOf(saleId));
          tally.servers.add(store.servers.serverOf(store.keys.sale(saleId).sale).name);
        }
      },
    ),
    { numRuns: options.runs, seed: options.seed, endOnFailure: true },
  );
  return tally;
}

/**
 * A standing and a timed sale. Run by run they go through all shards; in every third run both are in
 * the same one, whose sets they share.
 */
function chooseSales({ keys }: LedgerStore, run: number): readonly [string, string] {
  const inShard = (shard: number, first: number) => {
    for (let n = first; ; n += 2)
      if (keys.shardOf(hex('a', n)) === shard % keys.shards) return hex('a', n);
  };
  const apart = run % 3 === 2 ? 0 : Math.ceil(keys.shards / 2);
  return [inShard(run, 0), inShard(run + apart, 1)];
}

async function compareAll(
  store: LedgerStore,
  ledger: StockLedger,
  saleIds: readonly [string, string],
  commands: readonly Command[],
): Promise<void> {
  const { keys, servers } = store;
  let now = startMs;
  const model = createMemoryStockLedger({ keys, now: () => now });
  const setClock = () =>
    Promise.all(
      [...new Set(saleIds.map(keys.shardOf))].map(async (shard) => {
        const key = `${keys.admitted(shard)}:clock`;
        const { client } = servers.serverOf(key);
        await client
          .multi()
          .del(key)
          .rpush(key, Math.floor(now / 1000), (now % 1000) * 1000)
          .exec();
      }),
    );
  const saleId = (n: number) => saleIds[n === 0 ? 0 : 1];
  const products = [hex('b', 0), hex('b', 1)] as const;
  const ids: string[] = [];
  const recent = (back: number) => ids.at(-1 - back) ?? hex('c', 0);
  let version = 1;

  /** The same call on both, then answers and everything that is stored. */
  async function both(call: (it: Pick<StockLedger, keyof StockLedger>) => unknown): Promise<void> {
    const real = await call(ledger);
    const expected = await call(model as unknown as StockLedger);
    expect(real).toEqual(expected);
    expect(readable(await store.dump())).toEqual(model.dump());
  }

  const put = (n: number, options: number, create: boolean) => {
    const timed =
      n === 1
        ? {
            opensAtMs,
            closesAtMs: options < 4 ? closesAtMs : 0,
            perBuyerLimit: 4 + (options & 1),
          }
        : {};
    return both((it) =>
      it.putSale(
        saleSettings({
          saleId: saleId(n),
          settingsVersion: version,
          state: options === 7 ? 'paused' : options === 6 ? 'closed' : 'live',
          holdMs: options & 2 ? 1_500 : 0,
          durability: options & 1 ? 'fast' : 'safe',
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
        ...(wanted.kind === 'bare' && { ttlMs: bareTtlMs }),
        earlierUnasked: wanted.key % 8 === 7,
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

  const claim = async (id: string, limit: number) => {
    const shard = keys.shardOf(id);
    await both((it) => it.claimDue(shard, { leaseMs: 300, limit }));
    const options = { ageMs: unrecordedAgeMs, leaseMs: 300, limit };
    await both((it) => it.claimUnrecorded(shard, options));
  };

  /** When the sale's window, or something in its shard, changes; the next instant first. */
  const edges = (n: number): number[] => {
    const dump = model.dump();
    const { due, unrecorded } = keys.sale(saleId(n));
    const scores = (key: string) => Object.values((dump[key] ?? {}) as Record<string, number>);
    return [
      ...(n === 1 ? [opensAtMs, closesAtMs] : []),
      ...scores(due),
      ...scores(unrecorded).map((at) => at + unrecordedAgeMs),
    ]
      .filter((at) => at > now)
      .sort((one, other) => one - other);
  };
  /** On it, or a millisecond off: an order, and the claims. */
  const meetEdge = async (n: number, { which, offset, order: wanted }: EdgeDraw) => {
    const ahead = edges(n);
    now = (ahead[which % Math.max(ahead.length, 1)] ?? now) + offset;
    await setClock();
    const request = draw(wanted);
    await both((it) => it.reserve(saleId(n), [request]));
    await claim(saleId(n), 3);
  };
  /** A bare hold; at its deadline, or a millisecond off, its repeat and an order that takes it. */
  const meetExpiry = async (n: number, { offset, order: wanted }: EdgeDraw) => {
    const [hold, repeat, taking] = (['bare', 'bare', 'order'] as const).map((kind) =>
      draw({ ...wanted, kind, hold: null, replaces: null, key: wanted.key + 41 }),
    ) as [ReserveRequest, ReserveRequest, ReserveRequest];
    await both((it) => it.reserve(saleId(n), [hold]));
    now += bareTtlMs + offset;
    await setClock();
    await both((it) => it.reserve(saleId(n), [{ ...repeat, fingerprint: hold.fingerprint }]));
    const named = { holdId: hold.orderId, holdProductIds: products };
    await both((it) => it.reserve(saleId(n), [{ ...taking, ...named }]));
  };

  /** Writes the sale back with some of its records; other rebuilders and lost slices come between. */
  const rebuildSale = async (id: string, { kept, isLost, step: at, trouble }: RebuildDraw) => {
    const before = model.snapshot(id);
    const known = typeof before === 'string' ? { epoch: 0, records: [] } : before;
    if (isLost) {
      const { sale, stock, buyers, bare, holds } = keys.sale(id);
      const free = products.map((productId) => keys.free(id, productId));
      for (const key of [sale, stock, buyers, bare, holds, ...free])
        await servers.serverOf(key).client.del(key);
      model.loseSale(id);
    }
    const steps = rebuildSteps({
      records: known.records.filter(({ kind }, index) => kind !== 'bare' && index % 4 <= kept),
      marked: model.markedOrders(id),
      settings: saleSettings({
        saleId: id,
        settingsVersion: version,
        opensAtMs: id === saleId(1) ? opensAtMs : 0,
      }),
      products,
    });
    const epoch = known.epoch + 1;
    let slice = 0;
    for (const [index, step] of steps.entries()) {
      const isHere = index === at % steps.length;
      if (isHere && trouble === 'stop') return;
      if (isHere && trouble === 'left out') slice += 1;
      if (isHere && trouble === 'epoch')
        await both((it) => it.rebuild(id, { epoch: epoch + (kept % 2 ? 1 : -1), slice }, step));
      const wrong = isHere && trouble === 'count' && step.kind === 'open';
      const asked = wrong ? { ...step, records: step.records + 1 } : step;
      for (const _ of isHere && trouble === 'twice' ? [1, 2] : [1])
        await both((it) => it.rebuild(id, { epoch, slice }, asked));
      slice += 1;
    }
    await both((it) => it.saleStates([...saleIds, saleId(9)]));
    await both(async (it) => (await it.markedOrders(id)).unrecorded.sort());
    await both((it) => it.peekHolds(id, [...known.records.map(({ orderId }) => orderId), 'none']));
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
    } else if (what === 'mark') {
      await both((it) => it.strikeOff(id, (input as number[]).slice(1).map(recent)));
      await both((it) => it.markUnrecorded(id, (input as number[]).map(recent)));
    } else if (what === 'claim') {
      await claim(id, input as number);
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
      const { holds } = keys.sale(id);
      await servers.serverOf(holds).client.hdel(holds, lost);
      model.loseHold(id, lost);
      await both((it) => it.readHolds(id, [lost]));
    } else if (what === 'snapshot') {
      await both(async (it) => inOrder(await it.snapshot(id)));
    } else if (what === 'edge') {
      await meetEdge(n, input as EdgeDraw);
    } else if (what === 'expiry') {
      await meetExpiry(n, input as EdgeDraw);
    } else if (what === 'rebuild') {
      await rebuildSale(id, input as RebuildDraw);
    } else if (what === 'pass') {
      now += input as number;
      await setClock();
    } else await both((it) => it.fence(id, (input as number) === 0 ? 1 : 0));
  }
}

/** A snapshot names records in no order. */
const inOrder = (answer: SaleSnapshot | string) =>
  typeof answer === 'string'
    ? answer
    : {
        ...answer,
        records: [...answer.records].sort((a, b) => (a.orderId < b.orderId ? -1 : 1)),
      };

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
