import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { orderFromHold, type Order } from '@quicksale/shared/orders';
import {
  createMemoryStockLedger,
  ledgerKeys,
  unitNames,
  unitsByProduct,
  type ReserveRequest,
  type SaleSettings,
} from '@quicksale/shared/stock-ledger';
import type { RebuildLease } from './rebuild-lease.ts';
import { createRebuildRunner, rebuildNow, type RunRebuildsDeps } from './run-rebuilds.ts';
import type { SaleOrder } from './sale-orders.ts';

const keys = ledgerKeys('', 2);
const saleId = 'a'.repeat(24);
const lamp = 'b'.repeat(24);
const buyer = 'd'.repeat(24);
const startMs = Date.UTC(2026, 0, 1);
const holdMs = 600_000;
const settings: SaleSettings = {
  saleId,
  settingsVersion: 3,
  state: 'live',
  opensAtMs: 1,
  closesAtMs: 0,
  perBuyerLimit: 4,
  holdMs,
  durability: 'safe',
  products: [{ productId: lamp, price: 500, away: false }],
};

class Crash extends Error {}

let nowMs: number;
let ids: number;
let memory: ReturnType<typeof createMemoryStockLedger>;
let orders: Map<string, Order>;
let lastUnit: number;
let leases: { epoch: number; untilMs: number };
let stepsLeft: number;
let diesAfter: boolean;
let steps: number;
/** Comes between two steps of a rebuild. */
let meanwhile: Map<number, () => void>;

const hex = (n: number, length = 24) => String(n).padStart(length, '0');

/** Each call of a port is a step: the process may die right before it or right after it. */
async function step<T>(work: () => T): Promise<T> {
  steps += 1;
  meanwhile.get(steps)?.();
  stepsLeft -= 1;
  if (stepsLeft < 0 || (stepsLeft === 0 && !diesAfter)) throw new Crash();
  const result = work();
  if (stepsLeft === 0) throw new Crash();
  return result;
}

const dieAt = (n = Infinity, after = false) => ([stepsLeft, diesAfter, steps] = [n, after, 0]);

const lease = (epoch: number): RebuildLease => ({
  epoch,
  renew: async () => undefined,
  end: (highest = epoch) =>
    step(() => {
      if (leases.epoch === epoch) leases = { epoch: Math.max(epoch, highest), untilMs: 0 };
    }),
});

const deps: RunRebuildsDeps = {
  clock: { now: () => nowMs },
  log: createLogger({ service: 'test', level: 'silent' }),
  metrics: {
    noteRebuilt: () => undefined,
    noteStopped: () => undefined,
    noteInDoubt: () => undefined,
  },
  sales: { find: async () => undefined, listLedgerReady: async () => [{ saleId, putVersion: 3 }] },
  products: { listLines: async () => [] },
  timedSales: {
    find: () =>
      step(() => ({
        ...{ id: saleId, kind: 'timed', merchantId: 'm', name: 'n', currency: 'USD' },
        ...{ opensAt: new Date(1), closesAt: new Date(0), perBuyerLimit: 4, holdMs },
        ...{ durability: 'safe', stage: 'ready', settingsVersion: 3, putVersion: 3, revision: 1 },
        items: [
          { productId: lamp, sku: 's', name: 'n', price: 500, stock: 20, allotted: 20, rounds: 1 },
        ],
        ...{ ledgerReady: true, createdAt: new Date(0), updatedAt: new Date(0) },
      })) as never,
  },
  movements: {
    listCommitments: () => step(() => [{ saleId, productId: lamp, lastUnit }]),
  },
  saleOrders: {
    async *ofSale() {
      yield await step(() => [...orders.values()].map(asSaleOrder));
    },
  },
  unrecordedHolds: { record: () => step(recordLeft) },
  ledger: {
    rebuild: (...args) => step(() => memory.rebuild(...args)),
    markedOrders: (id) => step(() => memory.markedOrders(id)),
    saleStates: async (saleIds) => memory.saleStates(saleIds),
  },
  leases: {
    take: () =>
      step(() => {
        if (leases.untilMs > nowMs) return undefined;
        leases = { epoch: leases.epoch + 1, untilMs: nowMs + 10_000 };
        return lease(leases.epoch);
      }),
  },
};

const asSaleOrder = (order: Order): SaleOrder => ({
  ...order,
  confirmsHold: order.history[0]?.reason === 'confirmed-hold',
});

/** order-service: inserts what is left; a unit or key that is taken keeps its order out. */
function recordLeft() {
  const left = memory.peekHolds(saleId, memory.markedOrders(saleId).unrecorded);
  let recorded = 0;
  for (const record of left)
    if (record && !isTaken(unitNames(saleId, record.units))) {
      insert(orderFromHold(record, saleId));
      recorded += 1;
    }
  return { holds: left.length, recorded };
}

const isTaken = (units: readonly string[]) => {
  const owned = new Set([...orders.values()].flatMap((order) => order.units ?? []));
  return units.some((unit) => owned.has(unit));
};

function insert(order: Order): void {
  orders.set(order.id, order);
}

function reserve(quantity: number, wish: Partial<ReserveRequest> = {}) {
  ids += 1;
  const items = [{ productId: lamp, quantity }];
  const [digest, fingerprint] = [wish.digest ?? hex(ids, 64), 'f'.repeat(64)];
  const facts = {
    ...{ orderNumber: `N${ids}`, saleId, currency: 'USD', key: 'k', digest, fingerprint },
    items: items.map((item) => ({ ...item, sku: 's', name: 'n' })),
    ...(wish.kind === 'house' && { house: { by: 'm', reason: 'damage' } }),
  };
  const [reply] = memory.reserve(saleId, [
    {
      ...{ orderId: hex(ids), userId: hex(ids, 24), kind: 'order', digest, fingerprint, items },
      facts: JSON.stringify(facts),
      ...wish,
    },
  ]);
  return reply;
}

function place(quantity: number, change: Partial<Order> = {}, wish: Partial<ReserveRequest> = {}) {
  const reply = reserve(quantity, wish);
  if (reply?.status !== 'reserved') throw new Error(JSON.stringify(reply));
  insert({ ...orderFromHold(reply.record, saleId), ...change });
  memory.strikeOff(saleId, [reply.record.orderId]);
  return reply.record;
}

const cancel = (orderId: string) => {
  const { units = [], ...rest } = orders.get(orderId) ?? ({} as Order);
  insert({ ...rest, status: 'CANCELLED', inventoryStatus: 'RELEASED', releasing: units });
};
/** The outbox scan: what documents have given up or sold reaches the ledger. */
function scan(): void {
  for (const order of orders.values()) {
    const named = (names: readonly string[] = []) => [
      { orderId: order.id, units: unitsByProduct(names) },
    ];
    if (order.releasing)
      expect(memory.release(saleId, named(order.releasing))).not.toContain('fenced');
    if (order.shipping) expect(memory.ship(saleId, named(order.shipping))).not.toContain('fenced');
    const { releasing: _, shipping: __, ...rest } = order;
    insert(rest);
  }
}

beforeEach(() => {
  [nowMs, ids, lastUnit] = [startMs, 0, 20];
  memory = createMemoryStockLedger({ keys, now: () => nowMs });
  orders = new Map();
  leases = { epoch: 1, untilMs: 0 };
  meanwhile = new Map();
  dieAt();
  memory.putSale(settings, true);
  memory.raise(saleId, lamp, lastUnit);
});

/** Ledger, movements and orders agree to the unit, and nothing waits. */
function expectBalanced(): void {
  const snapshot = memory.snapshot(saleId);
  if (typeof snapshot === 'string') throw new Error(snapshot);
  expect(snapshot.fenced).toBe(false);
  const { last, next, available, held, gone } = snapshot.products[lamp] ?? {
    ...{ last: 0, next: 0, available: 0, held: 0, gone: 0 },
  };
  const inRecords = snapshot.records.flatMap(({ units }) => units[lamp] ?? []);
  const owned = (statuses: string[]) =>
    [...orders.values()]
      .filter(({ inventoryStatus }) => statuses.includes(inventoryStatus))
      .flatMap(({ units = [] }) => unitsByProduct(units)[lamp] ?? []);
  expect(last).toBe(lastUnit);
  expect([...inRecords].sort()).toEqual(owned(['PENDING', 'RESERVED']).sort());
  expect(gone).toBe(owned(['SOLD']).length);
  expect(available).toBe(last - inRecords.length - gone);
  const free = Object.keys(memory.dump()[keys.free(saleId, lamp)] ?? {}).map(Number);
  const issued = Array.from({ length: next - 1 }, (_, index) => index + 1);
  const places = [...free, ...inRecords, ...owned(['SOLD'])];
  expect(places.sort((a, b) => a - b)).toEqual(issued);
  const withDeadline = snapshot.records.filter(({ expiresAt }) => expiresAt > 0);
  expect(held).toBe(withDeadline.flatMap(({ units }) => units[lamp] ?? []).length);
  const { due, unrecorded } = memory.markedOrders(saleId);
  expect(due.sort()).toEqual(withDeadline.map(({ orderId }) => orderId).sort());
  expect(unrecorded).toEqual([]);
}

/** Every kind of order that a sale can have. */
function givenOrders() {
  const unpaid = place(2);
  const paid = place(1, {
    status: 'CONFIRMED',
    inventoryStatus: 'RESERVED',
    paymentStatus: 'PAID',
  });
  memory.settle(saleId, [paid.orderId]);
  const given = place(1);
  cancel(given.orderId);
  const house = place(2, {}, { kind: 'house', userId: 'm' });
  const shipped = place(1, {}, { kind: 'house', userId: 'm' });
  memory.ship(saleId, [shipped]);
  const { shipping: _, ...done } = orders.get(shipped.orderId) as Order;
  insert(done);
  const waiting = reserve(1);
  const cart = reserve(1, { kind: 'bare', ttlMs: 1_000 });
  if (waiting?.status !== 'reserved' || cart?.status !== 'reserved') throw new Error('no hold');
  return { unpaid, paid, given, house, waiting: waiting.record };
}

const loseAll = () => void memory.loseSale(saleId);
const losses: [string, () => void][] = [
  ['fenced only', () => void memory.fence(saleId, 9)],
  ['empty', loseAll],
  ['set back', () => givenRecordLost()],
];
const givenRecordLost = () => {
  const [first = ''] = orders.keys();
  memory.loseHold(saleId, first);
  memory.fence(saleId, 9);
};

describe('a rebuild', () => {
  it.each(losses)('of a ledger that is %s brings every order back', async (what, lose) => {
    const { unpaid, paid, waiting } = givenOrders();
    lose();
    await createRebuildRunner(deps)();
    scan();
    expectBalanced();
    const { facts, ...hold } = unpaid;
    const back = memory.holdOf(saleId, unpaid.orderId);
    expect(back).toEqual({ ...hold, epoch: 2, facts: expect.any(String) });
    expect(JSON.parse(back?.facts ?? '')).toEqual(JSON.parse(facts));
    expect(memory.holdOf(saleId, paid.orderId)).toMatchObject({
      ...{ expiresAt: 0, deadline: startMs + holdMs, units: paid.units },
    });
    // Recorded on the way, unless it was lost.
    expect(orders.has(waiting.orderId)).toBe(what !== 'empty');
    // A key names its order, a buyer has no more than the limit, and the sale sells on.
    const { orderId, userId } = unpaid;
    expect(reserve(1, { digest: hex(1, 64) })).toMatchObject({ status: 'replayed', orderId });
    expect(reserve(3, { userId })).toMatchObject({ status: 'limit', limit: 4, owned: 2 });
    expect(reserve(2, { userId })).toMatchObject({ status: 'reserved' });
  });

  it('begins anew after a crash at any of its steps, with a higher epoch', async () => {
    let died = 0;
    for (const after of [false, true])
      for (let at = 1; ; at += 1) {
        [ids, nowMs] = [0, startMs];
        memory = createMemoryStockLedger({ keys, now: () => nowMs });
        orders = new Map();
        leases = { epoch: 1, untilMs: 0 };
        memory.putSale(settings, true);
        memory.raise(saleId, lamp, lastUnit);
        givenOrders();
        memory.fence(saleId, 1);
        dieAt(at, after);
        await createRebuildRunner(deps)();
        const isOver = stepsLeft > 0;
        dieAt();
        if (isOver) break;
        died += 1;
        const [state] = memory.saleStates([saleId]);
        // The lease of the dead has to end first, where it took one.
        if (state === 'fenced' && leases.untilMs > nowMs) {
          await createRebuildRunner(deps)();
          expect(memory.saleStates([saleId])).toEqual(['fenced']);
          nowMs += 10_000;
        }
        await createRebuildRunner(deps)();
        scan();
        expectBalanced();
      }
    expect(died).toBeGreaterThan(20);
  });

  it('lets a cancel, a restock and a house order of that time come out right', async () => {
    // Before each of the steps in turn.
    for (let at = 1; at <= 14; at += 1) {
      [ids, lastUnit] = [0, 20];
      memory = createMemoryStockLedger({ keys, now: () => nowMs });
      orders = new Map();
      memory.putSale(settings, true);
      memory.raise(saleId, lamp, lastUnit);
      const { unpaid, paid } = givenOrders();
      memory.fence(saleId, 9);
      dieAt();
      let refused: unknown;
      meanwhile = new Map([
        [
          at,
          () => {
            for (const { orderId } of [unpaid, paid]) cancel(orderId);
            lastUnit = 25;
            refused = [memory.raise(saleId, lamp, 25), reserve(1, { kind: 'house' })?.status];
          },
        ],
      ]);
      await createRebuildRunner(deps)();
      meanwhile.clear();
      expect(refused).toEqual(['fenced', 'fenced']);
      // The runners come again.
      expect(['raised', 'already']).toContain(memory.raise(saleId, lamp, 25));
      scan();
      expectBalanced();
    }
  });

  it('of two, the one with the higher epoch goes on and the other one dies', async () => {
    const { unpaid } = givenOrders();
    loseAll();
    const results: unknown[] = [];
    // While the first one reads, its lease is taken for dead and another one starts and ends.
    const first = deps.unrecordedHolds.record;
    deps.unrecordedHolds.record = async (id) => {
      deps.unrecordedHolds.record = first;
      leases.untilMs = 0;
      results.push(await rebuildNow(deps, id));
      return first(id);
    };
    await expect(rebuildNow(deps, saleId)).rejects.toMatchObject({ name: 'RebuildStopped' });
    expect(results).toMatchObject([{ epoch: 3 }]);
    expect(memory.holdOf(saleId, unpaid.orderId)).toMatchObject({ epoch: 3 });
    expect(memory.saleStates([saleId])).toEqual(['live']);
    scan();
    expectBalanced();
  });

  it('catches up with a ledger that is ahead of what MongoDB has counted', async () => {
    memory.rebuild(saleId, { epoch: 40, slice: 0 }, { kind: 'begin' });
    await createRebuildRunner(deps)();
    expect(memory.saleStates([saleId])).toEqual(['fenced']);
    await createRebuildRunner(deps)();
    expect(memory.snapshot(saleId)).toMatchObject({ epoch: 41, fenced: false });
  });

  it('leaves a sale fenced whose books cannot be right', async () => {
    const { unpaid } = givenOrders();
    memory.fence(saleId, 9);
    const twin = { ...(orders.get(unpaid.orderId) as Order), id: hex(99) };
    insert(twin);
    await expect(rebuildNow(deps, saleId)).rejects.toThrow('two orders own the same unit');
    orders.delete(twin.id);
    lastUnit = 1;
    await expect(rebuildNow(deps, saleId)).rejects.toThrow('came by no movement');
    expect(memory.saleStates([saleId])).toEqual(['fenced']);
  });

  it('waits for order-service, and keeps what a buyer has confirmed', async () => {
    givenOrders();
    const history = [
      {
        version: 1,
        from: null,
        to: 'DELIVERED',
        at: new Date(0),
        by: 'm',
        reason: 'confirmed-hold',
      },
    ] as const;
    place(3, { history }, { kind: 'house', userId: buyer });
    loseAll();
    const { record } = deps.unrecordedHolds;
    deps.unrecordedHolds.record = () => Promise.reject(unavailable('away'));
    await createRebuildRunner(deps)();
    expect(memory.saleStates([saleId])).toEqual(['fenced']);
    deps.unrecordedHolds.record = record;
    await createRebuildRunner(deps)();
    expect(reserve(2, { userId: buyer })).toMatchObject({ status: 'limit', owned: 3 });
    scan();
    expectBalanced();
  });

  it('is tried more and more rarely while it cannot be made', async () => {
    givenOrders();
    loseAll();
    const { record } = deps.unrecordedHolds;
    let tries = 0;
    deps.unrecordedHolds.record = () => {
      tries += 1;
      return Promise.reject(unavailable('away'));
    };
    const run = createRebuildRunner(deps);
    for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 500) {
      await run();
      nowMs += 500;
    }
    // After 0, 0.5, 1.5, 3.5, 7.5 and 15.5 s, and then every 10 s.
    expect(tries).toBe(10);
    deps.unrecordedHolds.record = record;
    nowMs += 10_000;
    await run();
    expect(memory.saleStates([saleId])).toEqual(['live']);
  });
});
