import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(30_000);

/** Products that came into a timed sale after orders had been placed in the standing one. */
describe('an order repeated after its product changed sales', () => {
  let fixture: OrderFixture;
  beforeAll(async () => {
    fixture = await startOrders();
  }, 60_000);
  afterAll(() => fixture?.stop());

  const settings = {
    state: 'live',
    opensAtMs: 1,
    closesAtMs: 0,
    perBuyerLimit: 0,
    holdMs: 0,
    durability: 'safe',
  } as const;
  const hourMs = 3_600_000;

  /** As the saga of a timed sale does it: away in the standing sale, then moved. */
  async function move(
    product: { productId: string; saleId: string },
    stock: number,
    hoursAgo = 0,
  ): Promise<string> {
    const { productId, saleId } = product;
    // Of two sales of one shard each finds the other's keys by itself.
    let timed = newId();
    while (fixture.keys.shardOf(timed) === fixture.keys.shardOf(saleId)) timed = newId();
    const line = { productId, price: 999 };
    await fixture.ledger.putSale(
      { ...settings, saleId: timed, settingsVersion: 1, products: [{ ...line, away: false }] },
      true,
    );
    await fixture.ledger.raise(timed, productId, stock);
    const away = { ...settings, opensAtMs: 0, saleId, settingsVersion: 2 };
    await fixture.ledger.putSale({ ...away, products: [{ ...line, away: true }] }, false);
    const leftAt = new Date(Date.now() - hoursAgo * hourMs);
    const { ObjectId } = fixture.mongo.connection.base.mongo;
    await fixture.mongo
      .db()
      .collection('products')
      .updateOne(
        { _id: new ObjectId(productId) },
        { $set: { saleId: timed, saleChangedAt: leftAt, formerSales: [{ saleId, leftAt }] } },
      );
    return timed;
  }

  async function givenOrderThenMoved(stock = 0, hoursAgo = 0) {
    const product = await fixture.givenProduct(100);
    const order = { userId: newId(), key: 'old', productId: product.productId };
    const placed = await fixture.place(order);
    expect(placed.status).toBe(201);
    const timed = await move(product, stock, hoursAgo);
    return { ...product, order, placed, timed };
  }

  /** The process that took the order still thinks that the product is where it was. */
  const seeTheMove = (order: { userId: string; productId: string }) =>
    fixture.place({ ...order, key: 'see' }).expect(409);

  it('gets the same bytes, though the timed sale is sold out; others are told so', async () => {
    const { order, placed, saleId, timed } = await givenOrderThenMoved();
    const replay = await fixture.place(order);
    expect([replay.status, replay.text]).toEqual([201, placed.text]);
    expect(replay.headers['idempotent-replayed']).toBe('true');
    const other = await fixture.place({ ...order, key: 'new' });
    expect([other.status, other.body.code]).toEqual([409, 'sold-out']);
    const stranger = await fixture.place({ ...order, userId: newId() });
    expect([stranger.status, stranger.body.code]).toEqual([409, 'sold-out']);
    const changed = await fixture.place({ ...order, quantity: 2 });
    expect([changed.status, changed.body.code]).toEqual([422, 'idempotency-key-reused']);
    expect(await fixture.orders(saleId)).toHaveLength(1);
    expect(await fixture.orders(timed)).toHaveLength(0);
  });

  it('and gets them from a sale that has stock, too, which keeps it', async () => {
    const { order, placed, timed, productId } = await givenOrderThenMoved(3);
    // This process remembers where the product was, and then finds out.
    for (let round = 0; round < 3; round += 1) {
      const replay = await fixture.place(order);
      expect([replay.status, replay.text]).toEqual([201, placed.text]);
    }
    const next = await fixture.place({ ...order, key: 'new' });
    expect([next.status, next.body.order.saleId]).toEqual([201, timed]);
    const replay = await fixture.place(order);
    expect([replay.status, replay.text]).toEqual([201, placed.text]);
    const snapshot = await fixture.ledger.snapshot(timed);
    expect(snapshot).toMatchObject({ products: { [productId]: { last: 3, available: 2 } } });
  });

  it.each(['not open', 'paused', 'closed', 'limit', 'archived'] as const)(
    'also when the sale is %s',
    async (how) => {
      const { order, placed, timed, productId } = await givenOrderThenMoved(5);
      const isArchived = how === 'archived';
      await fixture.ledger.putSale(
        {
          ...settings,
          saleId: timed,
          settingsVersion: 2,
          products: [],
          ...(how === 'not open' && { opensAtMs: Date.now() + hourMs }),
          ...(how === 'paused' && { state: 'paused' }),
          ...(how === 'closed' && { state: 'closed' }),
          ...(how === 'limit' && { perBuyerLimit: 1 }),
        },
        false,
      );
      const { ObjectId } = fixture.mongo.connection.base.mongo;
      await fixture.mongo
        .db()
        .collection('products')
        .updateOne({ _id: new ObjectId(productId) }, { $set: { archived: isArchived } });
      if (how === 'limit') expect((await fixture.place({ ...order, key: 'n' })).status).toBe(201);
      const refused = await fixture.place({ ...order, key: 'other' });
      expect(refused.status).toBe(isArchived ? 422 : 409);
      const replay = await fixture.place(order);
      expect([replay.status, replay.text]).toEqual([201, placed.text]);
    },
  );

  it('gets the answer of an order that was not recorded yet', async () => {
    const { order, placed, saleId } = await givenOrderThenMoved();
    await fixture.mongo.db().collection('orders').deleteMany({ saleId });
    const id = placed.body.order._id as string;
    const { unrecorded } = fixture.keys.sale(saleId);
    const member = `${saleId}/${id}`;
    // The service strikes it off a moment after its answer, and must not do so after this.
    await eventually(async () => {
      expect(await fixture.redis.client.zscore(unrecorded, member)).toBeNull();
    });
    await fixture.redis.client.zadd(unrecorded, Date.now(), member);
    const replay = await fixture.place(order);
    expect([replay.status, replay.text]).toEqual([201, placed.text]);
    expect((await fixture.orders(saleId)).map(({ _id }) => String(_id))).toEqual([id]);
  });

  it('is refused when the key names nothing any more', async () => {
    const { order, placed, saleId, productId } = await givenOrderThenMoved();
    await fixture.mongo.db().collection('orders').deleteMany({ saleId });
    const orderId = placed.body.order._id as string;
    await fixture.ledger.release(saleId, [{ orderId, units: { [productId]: [1] } }]);
    const answer = await fixture.place(order);
    expect([answer.status, answer.body.code]).toEqual([409, 'sold-out']);
  });

  it('is told to come again while the sale that it left is in doubt', async () => {
    const { order, placed, saleId } = await givenOrderThenMoved();
    await seeTheMove(order);
    await fixture.ledger.fence(saleId, 1);
    // What is not known there may be known: nobody is refused.
    for (const key of [order.key, 'new']) {
      const answer = await fixture.place({ ...order, key });
      expect([answer.status, answer.body.code]).toEqual([503, 'sale-fenced']);
      expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    }
    await fixture.redis.client.hset(fixture.keys.sale(saleId).sale, 'fenced', '0');
    const replay = await fixture.place(order);
    expect([replay.status, replay.text]).toEqual([201, placed.text]);
  });

  it('asks no sale that the product left more than a day ago', async () => {
    const { order, saleId } = await givenOrderThenMoved(0, 25);
    await seeTheMove(order);
    await fixture.ledger.fence(saleId, 1);
    const answer = await fixture.place(order);
    expect([answer.status, answer.body.code]).toEqual([409, 'sold-out']);
  });

  it('gets one answer when it comes fifty times at once, also while the product moves', async () => {
    const product = await fixture.givenProduct(100);
    const order = { userId: newId(), key: 'old', productId: product.productId };
    const repeat = () => Array.from({ length: 50 }, () => fixture.place(order));
    const early = repeat();
    const timed = await move(product, 0);
    const answers = await Promise.all([...early, ...repeat()]);
    // Whether the first came before the move or after it, nobody is told anything else.
    const orders = answers.filter(({ status }) => status === 201);
    expect([0, answers.length]).toContain(orders.length);
    expect(new Set(orders.map(({ text }) => text)).size).toBe(Math.min(orders.length, 1));
    const stored = [...(await fixture.orders(product.saleId)), ...(await fixture.orders(timed))];
    expect(stored).toHaveLength(Math.min(orders.length, 1));
  });
});
