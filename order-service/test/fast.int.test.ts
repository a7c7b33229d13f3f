import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { idempotencyDigest, requestFingerprint } from '@quicksale/shared/idempotency';
import { createSystemRandom } from '@quicksale/shared/process';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderClient, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(40_000);

describe('a fast sale', () => {
  let fixture: OrderFixture;
  let twin: OrderClient;
  beforeAll(async () => {
    fixture = await startOrders();
    twin = await fixture.startTwin();
  }, 60_000);
  afterAll(() => fixture?.stop());

  const timed = { opensAtMs: 1, durability: 'fast' } as const;
  const idsOf = async (saleId: string) =>
    (await fixture.orders(saleId)).map(({ _id }) => String(_id));
  async function stockOf(sale: { saleId: string; productId: string }) {
    const snapshot = await fixture.ledger.snapshot(sale.saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    const { available } = snapshot.products[sale.productId] ?? {};
    return { available, records: snapshot.records };
  }

  /** What a process leaves that dies after its answer. */
  async function givenHoldOfTheDead(
    { saleId, productId }: { saleId: string; productId: string },
    userId: string,
  ): Promise<string> {
    const orderId = createSystemRandom().objectId(Date.now());
    const key = {
      digest: idempotencyDigest({ userId, route: 'POST /api/orders', key: 'k' }),
      fingerprint: requestFingerprint({ items: [{ productId, quantity: 1 }] }),
    };
    const items = [{ productId, sku: 'LAMP', name: 'Lamp', quantity: 1 }];
    const orderNumber = `ORD-2026-${orderId}`;
    const facts = { ...{ orderNumber, saleId, currency: 'USD', items, key: 'k' }, ...key };
    await fixture.ledger.reserve(saleId, [
      {
        ...{ orderId, userId, kind: 'order', ...key },
        items: [{ productId, quantity: 1 }],
        facts: JSON.stringify(facts),
      },
    ]);
    return orderId;
  }

  it('has one order for fifty twins on two services, with one answer', async () => {
    const sale = await fixture.givenProduct(60, timed);
    const wanted = { userId: newId(), key: 'k', productId: sale.productId };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (n % 2 ? twin : fixture).place(wanted)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 201));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const other = await twin.place({ ...wanted, quantity: 2 });
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
    const orderId = answers[0]?.body.order._id as string;
    await eventually(async () => expect(await idsOf(sale.saleId)).toEqual([orderId]));
    expect(await stockOf(sale)).toMatchObject({ available: 59, records: [{ fast: true }] });
    const cancelled = await twin.cancel({ ...wanted, orderId });
    expect([cancelled.status, cancelled.body.status]).toEqual([200, 'CANCELLED']);
    const again = await fixture.place(wanted);
    expect([again.status, again.text]).toEqual([201, answers[0]?.text]);
    expect(await stockOf(sale)).toMatchObject({ available: 60, records: [] });
  });

  it('is what the ledger says it is when the order comes: settings change before it opens', async () => {
    const later = { ...timed, durability: 'safe' as const };
    const sale = await fixture.givenProduct(5, { ...later, opensAtMs: Date.now() + 3_600_000 });
    const wanted = { userId: newId(), key: 'k', productId: sale.productId };
    expect((await fixture.place(wanted)).body.code).toBe('sale-not-open');
    await fixture.putSale({ ...timed, saleId: sale.saleId, settingsVersion: 2 });
    await fixture.place(wanted).expect(201);
    expect((await stockOf(sale)).records).toMatchObject([{ fast: true }]);
    await fixture.putSale({ ...later, opensAtMs: 1, saleId: sale.saleId, settingsVersion: 3 });
    const second = await fixture.place({ ...wanted, userId: newId() }).expect(201);
    const { records } = await stockOf(sale);
    const made = records.find(({ orderId }) => orderId === second.body.order._id);
    expect(made?.fast).toBeUndefined();
  });

  it('tells nobody but the buyer anything of an order that is not written yet', async () => {
    const sale = await fixture.givenProduct(2, timed);
    const userId = newId();
    const orderId = await givenHoldOfTheDead(sale, userId);
    const said = ({ status, body, headers }: Awaited<ReturnType<OrderClient['read']>>) => {
      const { requestId: _request, instance: _instance, ...rest } = body as Record<string, unknown>;
      return { status, rest, retryAfter: headers['retry-after'] };
    };
    const expected = { status: 503, rest: { code: 'order-being-recorded' }, retryAfter: '1' };
    const madeUp = createSystemRandom().objectId(Date.now());
    const asked = [
      { userId, orderId },
      { userId: newId(), orderId },
      { userId: newId(), orderId: madeUp },
    ];
    const answers = [];
    for (const one of asked) {
      answers.push(said(await fixture.read(one)));
      answers.push(said(await twin.cancel({ ...one, key: 'c' })));
    }
    expect(answers[0]).toMatchObject(expected);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    await eventually(async () => {
      expect((await fixture.read({ userId, orderId })).status).toBe(200);
    }, 15_000);
    expect(said(await fixture.read({ userId: newId(), orderId }))).toEqual(answers[0]);
    // Nothing was kept of the refusal.
    await twin.cancel({ userId, orderId, key: 'c' }).expect(200);
    const old = createSystemRandom().objectId(Date.now() - 11 * 60_000);
    expect((await fixture.read({ userId, orderId: old })).status).toBe(404);
  });

  it('takes a key that the ledger has forgotten for a new one, and loses no order by it', async () => {
    const sale = await fixture.givenProduct(5, timed);
    const wanted = { userId: newId(), key: 'k', productId: sale.productId };
    const first = await fixture.place(wanted).expect(201);
    await eventually(async () => expect(await idsOf(sale.saleId)).toHaveLength(1));
    const digest = idempotencyDigest({ ...wanted, route: 'POST /api/orders' });
    await fixture.redis.client.del(fixture.keys.idem(sale.saleId, digest));
    const second = await fixture.place(wanted).expect(201);
    const ids = [first, second].map(({ body }) => body.order._id as string);
    expect(new Set(ids).size).toBe(2);
    await eventually(async () =>
      expect((await idsOf(sale.saleId)).sort()).toEqual([...ids].sort()),
    );
    expect(await stockOf(sale)).toMatchObject({ available: 3 });
    // The key names the later one, also when that is cancelled and has no record any more.
    await fixture.cancel({ ...wanted, orderId: ids[1] ?? '' }).expect(200);
    const again = await twin.place(wanted);
    expect([again.status, again.text]).toEqual([201, second.text]);
  });

  describe('to which a product has come from another', () => {
    async function givenOrderThenMoved() {
      const product = await fixture.givenProduct(100);
      const order = { userId: newId(), key: 'old', productId: product.productId };
      const placed = await fixture.place(order).expect(201);
      return { product, order, placed, moved: await move(product) };
    }

    async function move(
      { productId, saleId }: { productId: string; saleId: string },
      near = false,
    ) {
      const { shardOf } = fixture.keys;
      let movedTo = newId();
      // Sales of one shard share their keys.
      while ((shardOf(movedTo) === shardOf(saleId)) !== near) movedTo = newId();
      const moved = { saleId: movedTo, productId };
      const line = { productId, price: 999 };
      await fixture.putSale({ ...timed, ...moved, products: [{ ...line, away: false }] });
      await fixture.ledger.raise(moved.saleId, productId, 9);
      await fixture.putSale({ saleId, settingsVersion: 2, products: [{ ...line, away: true }] });
      const { ObjectId } = fixture.mongo.connection.base.mongo;
      const leftAt = new Date();
      await fixture.mongo
        .db()
        .collection('products')
        .updateOne(
          { _id: new ObjectId(productId) },
          {
            $set: {
              saleId: moved.saleId,
              saleChangedAt: leftAt,
              formerSales: [{ saleId, leftAt }],
            },
          },
        );
      return moved;
    }

    it('finds an order that is not written yet, also where its key is known and its hold is not', async () => {
      for (const near of [true, false]) {
        const product = await fixture.givenProduct(100, timed);
        const userId = newId();
        const orderId = await givenHoldOfTheDead(product, userId);
        const moved = await move(product, near);
        const answer = await twin.place({ userId, key: 'k', productId: product.productId });
        expect([answer.status, answer.body.order?._id]).toEqual([201, orderId]);
        expect(await stockOf(moved)).toEqual({ available: 9, records: [] });
      }
    });

    it('answers an old key from there and takes nothing for it', async () => {
      const { order, placed, moved } = await givenOrderThenMoved();
      for (const client of [twin, fixture]) {
        const again = await client.place(order);
        expect([again.status, again.text]).toEqual([201, placed.text]);
        const other = await client.place({ ...order, quantity: 2 });
        expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
      }
      expect(await stockOf(moved)).toEqual({ available: 9, records: [] });
      const next = await twin.place({ ...order, key: 'new' });
      expect([next.status, next.body.order.saleId]).toEqual([201, moved.saleId]);
      expect(await stockOf(moved)).toMatchObject({ available: 8, records: [{ fast: true }] });
    });

    it('takes nothing while that one is in doubt', async () => {
      const { order, moved, product } = await givenOrderThenMoved();
      await fixture.ledger.fence(product.saleId, 1);
      for (const key of [order.key, 'new']) {
        const answer = await twin.place({ ...order, key });
        expect([answer.status, answer.body.code]).toEqual([503, 'sale-fenced']);
      }
      expect(await stockOf(moved)).toEqual({ available: 9, records: [] });
    });
  });
});
