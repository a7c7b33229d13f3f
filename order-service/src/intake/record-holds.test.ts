import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { createMemoryOrderStore, orderFromHold, type OrderStore } from '@quicksale/shared/orders';
import type { HoldRecord, StockLedger } from '@quicksale/shared/stock-ledger';
import { givenHold, newId } from '@quicksale/shared/testing';
import { recordHolds, type Hold, type RecordingDeps } from './record-holds.ts';

const log = createLogger({ service: 'test', level: 'silent' });

function setUp(records: readonly HoldRecord[] = []) {
  const orders = createMemoryOrderStore();
  const released: string[] = [];
  const fenced: string[] = [];
  const ledger = {
    release: async (_sale: string, releases: readonly { orderId: string }[]) => {
      released.push(...releases.map(({ orderId }) => orderId));
      return releases.map(() => 'released' as const);
    },
    readHolds: async (_sale: string, ids: readonly string[]) => ({
      epoch: 3,
      records: ids.map((id) => records.find(({ orderId }) => orderId === id)),
    }),
    fence: async (saleId: string, epoch: number) => {
      fenced.push(`${saleId}@${epoch}`);
      return 'fenced' as const;
    },
  } as unknown as StockLedger;
  return { deps: { orders, ledger, log } satisfies RecordingDeps, orders, released, fenced };
}

const existing = async (orders: OrderStore, hold: Hold) => {
  const order = orderFromHold(hold.record, hold.saleId);
  await orders.insertMany([order]);
  return order;
};

describe('recording', () => {
  let world: ReturnType<typeof setUp>;
  beforeEach(() => {
    world = setUp();
  });

  it('writes the orders of holds', async () => {
    const holds = [givenHold(), givenHold()];
    const outcomes = await recordHolds(world.deps, holds);
    expect(outcomes).toMatchObject([
      { kind: 'recorded', isNew: true, order: { id: holds[0]?.record.orderId } },
      { kind: 'recorded', isNew: true, order: { id: holds[1]?.record.orderId } },
    ]);
    expect(world.orders.all()).toHaveLength(2);
  });

  it('is harmless the second time', async () => {
    const hold = givenHold();
    await recordHolds(world.deps, [hold]);
    expect(await recordHolds(world.deps, [hold])).toMatchObject([
      { kind: 'recorded', isNew: false },
    ]);
    expect(world.released).toEqual([]);
  });

  it('releases the ghost of an order that owns no units any more', async () => {
    const hold = givenHold();
    const order = orderFromHold(hold.record, hold.saleId);
    const { units: _units, ...cancelled } = order;
    await world.orders.insertMany([{ ...cancelled, status: 'CANCELLED' }]);
    expect(await recordHolds(world.deps, [hold])).toMatchObject([
      { kind: 'recorded', isNew: false, order: { status: 'CANCELLED' } },
    ]);
    expect(world.released).toEqual([hold.record.orderId]);
  });

  it('gives a hold back whose key names another order', async () => {
    const digest = 'd'.repeat(64);
    const first = await existing(world.orders, givenHold({ digest }));
    const hold = givenHold({ digest });
    expect(await recordHolds(world.deps, [hold])).toMatchObject([
      { kind: 'key-names-other', order: { id: first.id } },
    ]);
    expect(world.released).toEqual([hold.record.orderId]);
  });

  it('lets a fast order stand whose key names an older one, as one without a digest', async () => {
    const digest = 'd'.repeat(64);
    const first = await existing(world.orders, givenHold({ digest }));
    const hold = givenHold({ digest });
    const fast = { ...hold, record: { ...hold.record, fast: true as const } };
    for (const isNew of [true, false])
      expect(await recordHolds(world.deps, [fast])).toMatchObject([
        { kind: 'recorded', order: { id: hold.record.orderId }, isNew },
      ]);
    expect(world.released).toEqual([]);
    const stored = world.orders.all().map(({ id, idempotencyDigest }) => [id, idempotencyDigest]);
    expect(stored).toEqual([
      [first.id, digest],
      [hold.record.orderId, undefined],
    ]);
  });

  it('takes no order without a digest for the one that a key names', async () => {
    const digest = 'd'.repeat(64);
    const wish = { saleId: newId(), productId: newId(), units: [5] };
    await existing(world.orders, givenHold({ digest }));
    const { idempotencyDigest: _digest, ...nameless } = orderFromHold(
      givenHold(wish).record,
      wish.saleId,
    );
    await world.orders.insertMany([nameless]);
    const hold = givenHold({ ...wish, digest });
    world.deps.ledger.readHolds = setUp([hold.record]).deps.ledger.readHolds;
    const fast = { ...hold, record: { ...hold.record, fast: true as const } };
    expect(await recordHolds(world.deps, [fast])).toEqual([{ kind: 'in-doubt' }]);
    expect(world.fenced).toEqual([`${wish.saleId}@3`]);
  });

  it('fences a sale whose ledger issued a unit twice', async () => {
    const wish = { saleId: newId(), productId: newId(), units: [5] };
    const hold = givenHold(wish);
    world = setUp([hold.record]);
    await existing(world.orders, givenHold(wish));
    expect(await recordHolds(world.deps, [hold])).toEqual([{ kind: 'in-doubt' }]);
    expect(world.fenced).toEqual([`${wish.saleId}@3`]);
    expect(world.released).toEqual([]);
  });

  it('does not fence when the hold itself is gone', async () => {
    const wish = { saleId: newId(), productId: newId(), units: [5] };
    await existing(world.orders, givenHold(wish));
    expect(await recordHolds(world.deps, [givenHold(wish)])).toEqual([{ kind: 'in-doubt' }]);
    expect(world.fenced).toEqual([]);
  });

  it("lets nobody pay for another's failure", async () => {
    const digest = 'd'.repeat(64);
    await existing(world.orders, givenHold({ digest }));
    const holds = [givenHold(), givenHold({ digest }), givenHold()];
    const kinds = (await recordHolds(world.deps, holds)).map(({ kind }) => kind);
    expect(kinds).toEqual(['recorded', 'key-names-other', 'recorded']);
  });

  it('tries twice more when nothing explains a conflict, then leaves the hold unrecorded', async () => {
    let inserts = 0;
    const orders: OrderStore = {
      ...world.orders,
      insertMany: async (batch) => {
        inserts += 1;
        return batch.map(() => ({ kind: 'conflict' }));
      },
    };
    const outcomes = await recordHolds({ ...world.deps, orders }, [givenHold()]);
    expect(outcomes).toEqual([{ kind: 'not-recorded' }]);
    expect(inserts).toBe(3);
  });

  it('reports a refused document for that document only', async () => {
    const bad = givenHold();
    const orders: OrderStore = {
      ...world.orders,
      insertMany: async (batch) =>
        batch.map(({ id }) =>
          id === bad.record.orderId
            ? { kind: 'refused', cause: new Error('no') }
            : { kind: 'inserted' },
        ),
    };
    const kinds = await recordHolds({ ...world.deps, orders }, [bad, givenHold()]);
    expect(kinds.map(({ kind }) => kind)).toEqual(['refused', 'recorded']);
  });

  it('keeps a record that cannot be read from spoiling its batch', async () => {
    const good = givenHold();
    const bad = givenHold();
    const holds = [{ ...bad, record: { ...bad.record, facts: '' } }, good];
    const outcomes = await recordHolds(world.deps, holds);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['refused', 'recorded']);
  });

  it('knows nothing about a batch whose insert was not answered', async () => {
    const orders: OrderStore = {
      ...world.orders,
      insertMany: () => Promise.reject(unavailable('away')),
    };
    await expect(recordHolds({ ...world.deps, orders }, [givenHold()])).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
  });

  it('keeps a hold unrecorded when it cannot be given back now', async () => {
    const digest = 'd'.repeat(64);
    await existing(world.orders, givenHold({ digest }));
    const ledger = { ...world.deps.ledger, release: async () => ['fenced' as const] };
    expect(await recordHolds({ ...world.deps, ledger }, [givenHold({ digest })])).toEqual([
      { kind: 'not-recorded' },
    ]);
  });
});
