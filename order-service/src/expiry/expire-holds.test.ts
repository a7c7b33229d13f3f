import { describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { createMemoryOrderStore, orderFromHold, type Order } from '@quicksale/shared/orders';
import { unitNames, type HoldRecord, type StockLedger } from '@quicksale/shared/stock-ledger';
import { givenHold, newId } from '@quicksale/shared/testing';
import type { Hold } from '../intake/record-holds.ts';
import { expireHolds, type ExpireHoldsDeps } from './expire-holds.ts';
import { createExpirySweep } from './sweep-due.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const deadline = Date.UTC(2026, 0, 1, 1);
const saleId = newId();

function setUp(holds: readonly Hold[]) {
  const orders = createMemoryOrderStore();
  const records = new Map(holds.map(({ record }) => [record.orderId, record]));
  const calls: string[] = [];
  const returned: number[] = [];
  const events: string[] = [];
  const ledger = {
    readHolds: async (_sale: string, ids: readonly string[]) => ({
      epoch: 1,
      records: ids.map((id) => records.get(id)),
    }),
    release: async (_sale: string, releases: readonly HoldRecord[]) => {
      calls.push(...releases.map(({ orderId }) => `bare ${orderId}`));
      return releases.map(() => 'released' as const);
    },
    settle: async (_sale: string, ids: readonly string[]) => {
      calls.push(...ids.map((id) => `settle ${id}`));
      return ids.map(() => 'settled' as const);
    },
  } as unknown as StockLedger;
  let reads = 0;
  const deps: ExpireHoldsDeps = {
    ledger,
    orders: {
      ...orders,
      findByIds: (ids) => {
        reads += 1;
        return orders.findByIds(ids);
      },
    },
    recorder: {
      record: async (hold) => {
        calls.push(`record ${hold.record.orderId}`);
        const order = orderFromHold(hold.record, hold.saleId);
        await orders.insertMany([order]);
        return { kind: 'recorded', order, isNew: true };
      },
    },
    returnUnits: async (releases) => {
      const some = releases.filter(({ releasing }) => releasing.length > 0);
      calls.push(...some.map(({ id, releasing }) => `release ${id} ${releasing.join()}`));
      return some.map((order) => ({ order, byThisCall: true }));
    },
    relay: { send: (sent) => void events.push(...sent.map(({ id }) => id)) },
    clock: { now: () => deadline + 250 },
    metrics: { noteReturned: (lateMs) => void returned.push(lateMs) },
    log,
  };
  const run = async () => (await expireHolds(deps, entriesOf(holds)))();
  return { deps, orders, calls, returned, events, run, reads: () => reads };
}

const entriesOf = (holds: readonly Hold[]) =>
  holds.map((hold) => ({ saleId: hold.saleId, orderId: hold.record.orderId }));

const overdue = (wish: Partial<HoldRecord> = {}): Hold => {
  const { record } = givenHold({ saleId, units: [1, 2], expiresAt: deadline });
  return { saleId, record: { ...record, ...wish } };
};
const unitsOf = ({ record }: Hold) => unitNames(saleId, record.units);

describe('holds past their deadline', () => {
  it('expire with one read, and each is counted', async () => {
    const holds = [overdue(), overdue(), overdue()];
    const world = setUp(holds);
    await world.orders.insertMany(holds.map(({ record }) => orderFromHold(record, saleId)));
    await world.run();
    expect(world.reads()).toBe(1);
    const ids = holds.map(({ record }) => record.orderId);
    expect(world.calls).toEqual(
      holds.map((hold) => `release ${hold.record.orderId} ${unitsOf(hold).join()}`),
    );
    expect(world.events).toEqual(ids.map((id) => `${id}:2`));
    expect(world.returned).toEqual([250, 250, 250]);
    for (const order of world.orders.all()) expect(order.status).toBe('EXPIRED');
  });

  it('are recorded first when MongoDB does not know them', async () => {
    const hold = overdue();
    const world = setUp([hold]);
    await world.run();
    expect(world.calls[0]).toBe(`record ${hold.record.orderId}`);
    expect(world.orders.all()).toMatchObject([{ status: 'EXPIRED', version: 2 }]);
  });

  it('that were settled meanwhile, or that are gone, need nothing', async () => {
    const settled = overdue({ expiresAt: 0, deadline });
    const world = setUp([settled]);
    const gone = { saleId, orderId: newId() };
    await expireHolds(world.deps, [...entriesOf([settled]), gone]);
    expect([world.calls, world.reads()]).toEqual([[], 0]);
  });

  it('go straight back when they are bare, whatever MongoDB does', async () => {
    const bare = overdue({ kind: 'bare' });
    const world = setUp([bare, overdue()]);
    world.deps.orders = { ...world.deps.orders, isReachable: () => false };
    await world.run();
    expect(world.calls).toEqual([`bare ${bare.record.orderId}`]);
    expect(world.returned).toEqual([250]);
  });

  /** What the document says, and what may then happen in the ledger. */
  const cases: [string, (units: string[]) => Partial<Order>, string[]][] = [
    ['paid', (units) => ({ status: 'CONFIRMED', paymentStatus: 'PAID', units }), ['settle']],
    ['paid while pending', (units) => ({ paymentStatus: 'PAID', units }), ['settle']],
    ['shipped', (units) => ({ status: 'SHIPPED', inventoryStatus: 'SOLD', units }), ['settle']],
    ['cancelled', () => ({ status: 'CANCELLED' }), ['release 2']],
    ['expired', () => ({ status: 'EXPIRED' }), ['release 2']],
    ['failed', () => ({ status: 'FAILED' }), ['release 2']],
    [
      'paid and partly cancelled',
      (units) => ({
        status: 'CONFIRMED',
        paymentStatus: 'PARTIALLY_REFUNDED',
        units: units.slice(0, 1),
      }),
      ['release 1', 'settle'],
    ],
  ];
  it.each(cases)('of an order that is %s follow the document', async (_, change, expected) => {
    const hold = overdue();
    const world = setUp([hold]);
    const { units = [], ...order } = orderFromHold(hold.record, saleId);
    await world.orders.insertMany([{ ...order, ...change([...units]) }]);
    const [before] = world.orders.all();
    await world.run();
    expect(world.orders.all()).toEqual([before]);
    const done = world.calls.map((call) => {
      const [what, , names] = call.split(' ');
      return names ? `${what} ${names.split(',').length}` : what;
    });
    expect(done).toEqual(expected);
    for (const call of world.calls)
      for (const unit of before?.units ?? []) expect(call.split(/[ ,]/)).not.toContain(unit);
  });

  it('are decided again when somebody changes an order meanwhile', async () => {
    const holds = [overdue(), overdue()];
    const world = setUp(holds);
    await world.orders.insertMany(holds.map(({ record }) => orderFromHold(record, saleId)));
    const [paid = '', unpaid = ''] = holds.map(({ record }) => record.orderId);
    let meddled = false;
    world.deps.orders = {
      ...world.deps.orders,
      applyChanges: async (changes) => {
        if (!meddled) {
          meddled = true;
          await world.orders.applyChanges([
            {
              id: paid,
              change: {
                fromVersion: 1,
                state: { status: 'CONFIRMED', inventoryStatus: 'PENDING', paymentStatus: 'PAID' },
                historyEntry: {
                  version: 2,
                  from: 'PENDING',
                  to: 'CONFIRMED',
                  at: new Date(0),
                  by: '',
                },
                removeOutbox: [],
                settlesOutbox: false,
              },
            },
          ]);
        }
        return world.orders.applyChanges(changes);
      },
    };
    await world.run();
    const [, units] = holds.map(unitsOf);
    expect(world.calls).toEqual([`release ${unpaid} ${units?.join()}`, `settle ${paid}`]);
    expect(world.events).toEqual([`${unpaid}:2`]);
  });
});

describe('the sweep', () => {
  function sweepOf(due: Hold[], broken: Partial<ExpireHoldsDeps> = {}) {
    const world = setUp(due);
    const limits: number[] = [];
    const left = entriesOf(due);
    const ledger = {
      ...world.deps.ledger,
      shards: 2,
      claimDue: async (shard: number, { limit }: { limit: number }) => {
        if (shard === 0) return [];
        limits.push(limit);
        return left.splice(0, limit);
      },
    };
    return {
      ...world,
      left,
      limits,
      sweep: createExpirySweep({ ...world.deps, ...broken, ledger }),
    };
  }

  it('goes on at once with a shard that has more, 128 at a time', async () => {
    const due = Array.from({ length: 300 }, () => overdue({ kind: 'bare' }));
    const { sweep, returned, limits } = sweepOf(due);
    await sweep();
    expect(returned).toHaveLength(300);
    expect(limits).toEqual([128, 128, 128]);
  });

  it('stops claiming when a store is away', async () => {
    const due = Array.from({ length: 2_000 }, () => overdue());
    const { deps } = setUp([]);
    const orders = { ...deps.orders, findByIds: () => Promise.reject(unavailable('away')) };
    const { sweep, left } = sweepOf(due, { orders });
    await sweep();
    expect(left.length).toBeGreaterThan(0);
  });
});
