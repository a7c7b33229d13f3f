import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  applyFact,
  createMongoOrderStore,
  type Fact,
  type OrderStore,
} from '@quicksale/shared/orders';
import { inventoryResult, orderCreated, orderStatus } from '@quicksale/shared/contracts';
import { createLogger } from '@quicksale/shared/log';
import { eventually, newId } from '@quicksale/shared/testing';
import { answerCreated } from '../../inventory-service/src/holds/answer-created.ts';
import { applyResults } from '../../kafka-processor/src/order-status/apply-results.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

describe('deadlines of holds on real stores', () => {
  let fixture: OrderFixture;
  let store: OrderStore;
  /** Status events by order. */
  const told = new Map<string, string[]>();
  let stopConsumers: () => Promise<void>;

  beforeAll(async () => {
    fixture = await startOrders();
    const { bus, ledger, mongo } = fixture;
    store = createMongoOrderStore(mongo);
    const log = createLogger({ service: 'test', level: 'silent' });
    // The other two services' parts, with the same rules that they use.
    const consumers = [
      bus.createConsumer({
        contract: orderCreated,
        group: 'inventory',
        handle: (batch) => answerCreated({ ledger, orders: store, bus, log }, batch),
      }),
      bus.createConsumer({
        contract: inventoryResult,
        group: 'processor',
        handle: (batch) => applyResults({ orders: store, bus }, batch),
      }),
      bus.createConsumer({
        contract: orderStatus,
        group: 'listener',
        handle: async (batch) => {
          for (const { data } of batch)
            told.set(data.orderId, [
              ...new Set([...(told.get(data.orderId) ?? []), `${data.version} ${data.to}`]),
            ]);
        },
      }),
    ];
    for (const consumer of consumers) await consumer.start();
    stopConsumers = async () => {
      for (const consumer of consumers) await consumer.stop();
    };
  });
  afterAll(async () => {
    await stopConsumers?.();
    await fixture?.stop();
  });

  async function givenOrderOf(stock: number, quantity: number, holdMs: number) {
    const sale = await fixture.givenProduct(stock, { opensAtMs: 1, holdMs });
    return placeIn(sale, quantity);
  }
  async function placeIn(sale: { saleId: string; productId: string }, quantity: number) {
    const userId = newId();
    const wanted = { userId, key: 'k', productId: sale.productId, quantity };
    const placed = await fixture.place(wanted);
    expect(placed.status).toBe(201);
    return { ...sale, userId, wanted, placed, orderId: placed.body.order._id as string };
  }
  type Given = Awaited<ReturnType<typeof placeIn>>;

  const read = async ({ userId, orderId }: Given) =>
    (
      await fixture.request
        .get(`/api/orders/${orderId}`)
        .set('Authorization', `Bearer user-${userId}`)
    ).body as Record<string, unknown>;

  async function books({ saleId, productId, userId }: Given) {
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    const { client } = fixture.redis;
    const due = await client.zrange(fixture.keys.sale(saleId).due, 0, '-1');
    return {
      ...snapshot.products[productId],
      records: snapshot.records.length,
      due: due.filter((member) => member.startsWith(saleId)).length,
      owned: Number(await client.hget(fixture.keys.sale(saleId).buyers, userId)),
    };
  }

  /** A step that some process wrote and then died. */
  async function write({ orderId }: Given, fact: Fact): Promise<void> {
    await eventually(async () => {
      const [order] = await store.findByIds([orderId]);
      const outcome = order && applyFact(order, fact);
      if (outcome?.kind !== 'changed') throw new Error(outcome?.kind);
      const changes = [{ id: orderId, change: outcome.change }];
      expect(await store.applyChanges(changes)).toEqual({ matched: 1 });
    });
  }
  /** So late that the outbox scan does not come near it in this test. */
  const muchLater = () => new Date(Date.now() + 3_600_000);
  const replay = async ({ wanted }: Given) => (await fixture.place(wanted)).text;

  it('an unpaid order expires, its units are for sale again, and the buyer is told', async () => {
    const order = await givenOrderOf(2, 2, 1_500);
    const { expiresAt } = order.placed.body.order.reservation as { expiresAt: string };
    expect(order.placed.body.order.reservation.units).toBe(2);
    await eventually(async () =>
      expect(await read(order)).toMatchObject({
        status: 'AWAITING_PAYMENT',
        inventoryStatus: 'RESERVED',
        paymentStatus: 'PENDING',
        expiresAt,
      }),
    );
    expect(await books(order)).toMatchObject({ available: 0, held: 2, due: 1, owned: 2 });
    const before = await fixture.metrics();
    await eventually(async () => {
      expect(await read(order)).toMatchObject({
        status: 'EXPIRED',
        inventoryStatus: 'RELEASED',
        paymentStatus: 'PENDING',
        expiresAt,
        version: 3,
      });
      expect(await books(order)).toMatchObject({
        available: 2,
        held: 0,
        records: 0,
        due: 0,
        owned: 0,
      });
    });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
    await eventually(() =>
      expect(told.get(order.orderId)).toEqual(['2 AWAITING_PAYMENT', '3 EXPIRED']),
    );
    await eventually(async () => {
      const [stored] = await store.findByIds([order.orderId]);
      expect(stored).not.toHaveProperty('releasing');
      expect(stored?.outbox ?? []).toEqual([]);
    });
    expect(await replay(order)).toBe(order.placed.text);
    const figure = (text: string, name: string) =>
      Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 0);
    const after = await fixture.metrics();
    for (const name of ['quicksale_holds_expired_total', 'quicksale_unit_unsold_seconds_count'])
      expect(figure(after, name) - figure(before, name)).toBe(1);
    const next = await fixture.place({ ...order.wanted, userId: newId() });
    expect(next.status).toBe(201);
  });

  it('a paid order keeps its units, and the first answer stays what it was', async () => {
    const order = await givenOrderOf(2, 1, 1_000);
    await write(order, { type: 'pay', cause: 'payment', by: order.userId, at: muchLater() });
    // Nobody settles: the payer's process died. The sweep finds it when the deadline has passed.
    await eventually(async () =>
      expect(await books(order)).toMatchObject({ available: 1, held: 0, records: 1, due: 0 }),
    );
    await eventually(async () =>
      expect(await read(order)).toMatchObject({
        status: 'CONFIRMED',
        inventoryStatus: 'RESERVED',
        paymentStatus: 'PAID',
      }),
    );
    expect(await replay(order)).toBe(order.placed.text);
    expect(await books(order)).toMatchObject({ available: 1, records: 1, owned: 1 });
  });

  it('finishes what a cancel left that died before the ledger had its units', async () => {
    const order = await givenOrderOf(3, 3, 1_000);
    await write(order, { type: 'cancel', by: order.userId, at: muchLater() });
    await eventually(async () => {
      expect(await books(order)).toMatchObject({ available: 3, held: 0, records: 0, owned: 0 });
      expect((await store.findByIds([order.orderId]))[0]).not.toHaveProperty('releasing');
    });
    expect(await read(order)).toMatchObject({ status: 'CANCELLED' });
  });

  it('gives back what a paid order has cancelled, and nothing else', async () => {
    const order = await givenOrderOf(3, 3, 1_000);
    const { userId, productId } = order;
    await write(order, { type: 'pay', cause: 'payment', by: userId, at: muchLater() });
    const units = [{ productId, quantity: 1 }];
    await write(order, { type: 'cancel', by: userId, units, at: muchLater() });
    await eventually(async () =>
      expect(await books(order)).toMatchObject({
        available: 1,
        held: 0,
        records: 1,
        due: 0,
        owned: 2,
      }),
    );
    // The marks follow the units.
    await eventually(async () => {
      const [stored] = await store.findByIds([order.orderId]);
      expect(stored?.units).toHaveLength(2);
      expect(stored).not.toHaveProperty('releasing');
      expect(stored?.paymentStatus).toBe('PARTIALLY_REFUNDED');
    });
  });

  it('records an order first that was never written', async () => {
    const order = await givenOrderOf(2, 1, 800);
    const orderId = newId();
    const facts = {
      orderNumber: `ORD-2026-${orderId}`,
      saleId: order.saleId,
      currency: 'USD',
      items: [{ productId: order.productId, sku: 'LAMP', name: 'Lamp', quantity: 1 }],
      key: 'lost',
      digest: orderId.padEnd(64, '0'),
      fingerprint: 'f'.repeat(64),
    };
    const [reply] = await fixture.ledger.reserve(order.saleId, [
      {
        orderId,
        userId: newId(),
        kind: 'order',
        digest: facts.digest,
        fingerprint: facts.fingerprint,
        items: [{ productId: order.productId, quantity: 1 }],
        facts: JSON.stringify(facts),
      },
    ]);
    expect(reply?.status).toBe('reserved');
    await eventually(async () => {
      const [stored] = await store.findByIds([orderId]);
      expect(stored?.status).toBe('EXPIRED');
      expect(await books(order)).toMatchObject({ available: 2, held: 0, records: 0, due: 0 });
    });
    await eventually(() => expect(told.get(orderId)?.at(-1)).toMatch(/EXPIRED$/));
  });

  it('a hold without an order goes straight back', async () => {
    const order = await givenOrderOf(3, 1, 3_600_000);
    const orderId = newId();
    const [reply] = await fixture.ledger.reserve(order.saleId, [
      {
        orderId,
        userId: newId(),
        kind: 'bare',
        ttlMs: 300,
        digest: orderId.padEnd(64, '0'),
        fingerprint: 'f'.repeat(64),
        items: [{ productId: order.productId, quantity: 2 }],
        facts: '{}',
      },
    ]);
    expect(reply?.status).toBe('reserved');
    await eventually(async () =>
      expect(await books(order)).toMatchObject({ available: 2, held: 1, records: 1, due: 1 }),
    );
    expect(await store.findByIds([orderId])).toEqual([]);
  });

  /** An order in another shard, whose deadline comes later. */
  async function givenElsewhere(other: Given): Promise<Given> {
    for (;;) {
      const sale = await fixture.givenProduct(1, { opensAtMs: 1, holdMs: 1_500 });
      if (fixture.keys.shardOf(sale.saleId) !== fixture.keys.shardOf(other.saleId))
        return placeIn(sale, 1);
    }
  }

  it('leaves a fenced sale and a server that is not admitted for later', async () => {
    const { client, runId } = fixture.redis;
    const fenced = await givenOrderOf(1, 1, 500);
    await fixture.ledger.fence(fenced.saleId, 1);
    const unchecked = await givenOrderOf(1, 1, 500);
    const { admitted } = fixture.keys.sale(unchecked.saleId);
    await client.set(admitted, 'another server');
    // Long enough for several rounds of the sweep, by an order that does expire.
    const passed = await givenElsewhere(unchecked);
    await eventually(async () => expect(await read(passed)).toMatchObject({ status: 'EXPIRED' }));
    for (const order of [fenced, unchecked])
      expect(await read(order)).not.toMatchObject({ status: 'EXPIRED' });
    await client.set(admitted, runId());
    await client.hset(fixture.keys.sale(fenced.saleId).sale, 'fenced', '0');
    await eventually(async () => {
      for (const order of [fenced, unchecked]) {
        expect(await read(order)).toMatchObject({ status: 'EXPIRED' });
        expect(await books(order)).toMatchObject({ available: 1, held: 0, records: 0, due: 0 });
      }
    }, 20_000);
  });

  it('forgets a deadline that has no record', async () => {
    const order = await givenOrderOf(1, 1, 3_600_000);
    const { due } = fixture.keys.sale(order.saleId);
    await fixture.redis.client.zadd(due, 1, `${order.saleId}/${newId()}`);
    expect(await books(order)).toMatchObject({ due: 2 });
    await eventually(async () => expect(await books(order)).toMatchObject({ due: 1, held: 1 }));
  });
});
