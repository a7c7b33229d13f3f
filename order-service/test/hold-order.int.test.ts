import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ReserveRequest, SaleSettings } from '@quicksale/shared/stock-ledger';
import { newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

describe('orders that name a hold', () => {
  let fixture: OrderFixture;
  beforeAll(async () => {
    // Nothing but the orders here is to end a hold.
    fixture = await startOrders({ QUICKSALE_REPAIRS_OFF: 'expiry-sweep' });
  }, 60_000);
  afterAll(() => fixture?.stop());

  interface Sale {
    saleId: string;
    products: string[];
  }

  /** Products of one timed sale, each with this stock. */
  async function givenSale(
    stock: readonly number[],
    settings: Partial<SaleSettings> = {},
  ): Promise<Sale> {
    const saleId = newId();
    const { ObjectId } = fixture.mongo.connection.base.mongo;
    const products = stock.map(() => newId());
    await fixture.mongo
      .db()
      .collection<{ _id: unknown }>('products')
      .insertMany(
        products.map((id) => ({
          _id: new ObjectId(id),
          saleId,
          saleChangedAt: new Date(0),
          merchantId: newId(),
          sku: id,
          name: 'Lamp',
          currency: 'USD',
          archived: false,
        })),
      );
    await fixture.ledger.putSale(
      {
        saleId,
        settingsVersion: 1,
        state: 'live',
        opensAtMs: 1,
        closesAtMs: 0,
        perBuyerLimit: 0,
        holdMs: 0,
        durability: 'safe',
        products: products.map((productId) => ({ productId, price: 100, away: false })),
        ...settings,
      },
      true,
    );
    for (const [index, productId] of products.entries())
      await fixture.ledger.raise(saleId, productId, stock[index] ?? 0);
    return { saleId, products };
  }

  const itemsOf = ({ products }: Sale, quantities: readonly number[]) =>
    quantities.flatMap((quantity, index) =>
      quantity > 0 ? [{ productId: products[index] ?? '', quantity }] : [],
    );

  /** As inventory-service makes it; resolves to its id on the wire. */
  async function givenHold(
    sale: Sale,
    userId: string,
    quantities: readonly number[],
    given: Partial<ReserveRequest> = {},
  ): Promise<string> {
    const orderId = newId();
    const [reply] = await fixture.ledger.reserve(sale.saleId, [
      {
        orderId,
        userId,
        kind: 'bare',
        digest: newId(),
        fingerprint: 'f',
        ttlMs: 60_000,
        facts: '',
        items: itemsOf(sale, quantities),
        ...given,
      },
    ]);
    expect(reply?.status).toBe('reserved');
    return sale.saleId + orderId;
  }

  const place = (
    sale: Sale,
    userId: string,
    quantities: readonly number[],
    { holdId, key = 'k' }: { holdId?: string; key?: string } = {},
  ) =>
    fixture.request
      .post('/api/orders')
      .set('Authorization', `Bearer user-${userId}`)
      .set('Idempotency-Key', key)
      .send({ items: itemsOf(sale, quantities), holdId });

  async function books({ saleId, products }: Sale) {
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    for (const id of products) {
      const { available, gone, last, held } = snapshot.products[id] ?? {};
      const numbers = snapshot.records.flatMap(({ units }) => units[id] ?? []);
      expect(Number(available) + numbers.length + Number(gone)).toBe(last);
      expect(new Set(numbers).size).toBe(numbers.length);
      const bare = snapshot.records.filter(({ expiresAt }) => expiresAt > 0);
      expect(held).toBe(bare.flatMap(({ units }) => units[id] ?? []).length);
    }
    return {
      kinds: snapshot.records.map(({ kind }) => kind).sort(),
      available: products.map((id) => snapshot.products[id]?.available),
    };
  }
  const codeOf = ({ status, body }: { status: number; body: { code?: string } }) =>
    `${status} ${body.code ?? ''}`.trim();

  it('take its units though nothing else is left', async () => {
    const sale = await givenSale([2]);
    const userId = newId();
    const holdId = await givenHold(sale, userId, [2]);
    expect(codeOf(await place(sale, newId(), [1]))).toBe('409 sold-out');
    expect(codeOf(await place(sale, userId, [1], { key: 'none' }))).toBe('409 sold-out');
    const placed = await place(sale, userId, [2], { holdId });
    expect(placed.status).toBe(201);
    expect(await books(sale)).toEqual({ kinds: ['order'], available: [0] });
    const [order] = await fixture.orders(sale.saleId);
    expect(order).toMatchObject({
      userId,
      units: [1, 2].map((n) => `${sale.saleId}:${sale.products[0]}:${n}`),
    });
  });

  it('are repeated with the same bytes though the hold is gone by then', async () => {
    const sale = await givenSale([2]);
    const userId = newId();
    const holdId = await givenHold(sale, userId, [2]);
    const twins = await Promise.all(
      Array.from({ length: 20 }, () => place(sale, userId, [2], { holdId })),
    );
    twins.push(await place(sale, userId, [2], { holdId: holdId.toUpperCase() }));
    expect(new Set(twins.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(twins[0]?.status).toBe(201);
    expect(twins.at(-1)?.headers['idempotent-replayed']).toBe('true');
    // Without its hold, or with another one, it is another request.
    expect(codeOf(await place(sale, userId, [2]))).toBe('422 idempotency-key-reused');
    const other = sale.saleId + newId();
    expect(codeOf(await place(sale, userId, [2], { holdId: other }))).toBe(
      '422 idempotency-key-reused',
    );
    expect(codeOf(await place(sale, userId, [2], { holdId, key: 'next' }))).toBe('409 hold-gone');
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
  });

  it('may want less, more or something else of the sale; the rest comes back', async () => {
    const sale = await givenSale([5, 5, 5]);
    const userId = newId();
    const holdId = await givenHold(sale, userId, [3, 2, 0]);
    expect((await place(sale, userId, [1, 0, 2], { holdId })).status).toBe(201);
    expect(await books(sale)).toEqual({ kinds: ['order'], available: [4, 5, 3] });
    const more = await givenHold(sale, userId, [1, 0, 0]);
    expect((await place(sale, userId, [5], { holdId: more, key: 'b' })).body.code).toBe('sold-out');
    expect((await place(sale, userId, [4], { holdId: more, key: 'b' })).status).toBe(201);
    expect(await books(sale)).toEqual({ kinds: ['order', 'order'], available: [0, 5, 3] });
  });

  it('give it to exactly one of fifty', async () => {
    const sale = await givenSale([2]);
    const userId = newId();
    const holdId = await givenHold(sale, userId, [2]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => place(sale, userId, [2], { holdId, key: `k${n}` })),
    );
    expect(answers.map(codeOf).sort()).toEqual(['201', ...Array<string>(49).fill('409 hold-gone')]);
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
    expect(await books(sale)).toEqual({ kinds: ['order'], available: [0] });
  });

  it('never pass the limit, however holds and orders are mixed', async () => {
    const limit = 4;
    const sale = await givenSale([200], { perBuyerLimit: limit });
    const buyers = Array.from({ length: 10 }, () => newId());
    for (const userId of buyers) {
      const holdId = await givenHold(sale, userId, [2]);
      const answers = await Promise.all([
        place(sale, userId, [4], { holdId, key: 'all' }),
        place(sale, userId, [3], { key: 'three' }),
        place(sale, userId, [2], { key: 'two' }),
        place(sale, userId, [2], { holdId, key: 'same' }),
        place(sale, userId, [1], { key: 'one' }),
      ]);
      for (const answer of answers)
        expect(['201', '409 buyer-limit-reached', '409 hold-gone']).toContain(codeOf(answer));
      const snapshot = await fixture.ledger.snapshot(sale.saleId);
      if (typeof snapshot === 'string') throw new Error(snapshot);
      const mine = snapshot.records.filter((record) => record.userId === userId);
      const units = mine.flatMap((record) => Object.values(record.units).flat()).length;
      const counted = await fixture.redis.client.hget(
        fixture.keys.sale(sale.saleId).buyers,
        userId,
      );
      expect(units).toBe(Number(counted));
      expect(units).toBeLessThanOrEqual(limit);
    }
    await books(sale);
    // The units of the hold count until its order has them.
    const userId = newId();
    const holdId = await givenHold(sale, userId, [3]);
    const refused = await place(sale, userId, [2]);
    expect([codeOf(refused), refused.body.owned]).toEqual(['409 buyer-limit-reached', 3]);
    expect(codeOf(await place(sale, userId, [5], { holdId }))).toBe('409 buyer-limit-reached');
    expect((await place(sale, userId, [4], { holdId })).status).toBe(201);
  });

  it("find nobody else's, none of another sale, no order and none past its deadline", async () => {
    const sale = await givenSale([9]);
    const elsewhere = await givenSale([9]);
    const [userId, other] = [newId(), newId()];
    const theirs = await givenHold(sale, other, [1]);
    const away = await givenHold(elsewhere, userId, [1]);
    const late = await givenHold(sale, userId, [1], { ttlMs: 1 });
    const order = await place(sale, userId, [1], { key: 'first' });
    const mine = await givenHold(sale, userId, [1]);
    for (const holdId of [
      theirs,
      away,
      late,
      sale.saleId + newId(),
      sale.saleId + String(order.body.order._id),
      // A hold that there is, under the id of a sale that it is not in.
      elsewhere.saleId + mine.slice(24),
    ])
      expect(codeOf(await place(sale, userId, [1], { holdId }))).toBe('409 hold-gone');
    expect(await books(sale)).toEqual({
      kinds: ['bare', 'bare', 'bare', 'order'],
      available: [5],
    });
    // No refusal is kept: the same key may name the right one.
    expect((await place(sale, userId, [1], { holdId: mine })).status).toBe(201);
  });

  /** So many round trips after now: early in the first rounds, late in the last ones. */
  async function releaseAfter({ saleId }: Sale, holdId: string, trips: number) {
    const orderId = holdId.slice(24);
    const held = await fixture.ledger.readHolds(saleId, [orderId]);
    if (typeof held === 'string') throw new Error(held);
    for (let trip = 0; trip < trips; trip += 1) await fixture.redis.client.ping();
    await fixture.ledger.release(saleId, [{ orderId, units: held.records[0]?.units ?? {} }]);
  }

  it('that race with the end of their hold are told so, and nobody else pays', async () => {
    const sale = await givenSale([400, 400]);
    const told = new Map<string, number>();
    for (let round = 0; round < 20; round += 1) {
      const userId = newId();
      const holdId = await givenHold(sale, userId, [2, 2]);
      const [order, , ...others] = await Promise.all([
        place(sale, userId, [1], { holdId }),
        releaseAfter(sale, holdId, round),
        place(sale, newId(), [0, 1]),
        place(sale, newId(), [1, 1]),
      ]);
      told.set(codeOf(order), (told.get(codeOf(order)) ?? 0) + 1);
      expect(others.map(({ status }) => status)).toEqual([201, 201]);
      expect(['201', '409 hold-gone']).toContain(codeOf(order));
    }
    process.stdout.write(`orders against releases: ${JSON.stringify([...told])}\n`);
    await books(sale);
  });
  it('made while their hold is being made find it or not, and nobody else pays', async () => {
    const sale = await givenSale([400, 400]);
    const userIds = Array.from({ length: 30 }, () => newId());
    const holds: Promise<string>[] = [];
    const answers = await Promise.all(
      userIds.flatMap((userId) => {
        const orderId = newId();
        holds.push(givenHold(sale, userId, [1, 1], { orderId }));
        return [
          place(sale, userId, [1], { holdId: sale.saleId + orderId }),
          place(sale, newId(), [1]),
        ];
      }),
    );
    await Promise.all(holds);
    const codes = answers.map(codeOf);
    expect(codes.filter((_, n) => n % 2)).toEqual(userIds.map(() => '201'));
    for (const code of codes) expect(['201', '409 hold-gone']).toContain(code);
    await books(sale);
  });

  it.each(['x', newId(), `${newId()}${newId()}0`, 5, null, { $ne: '' }])(
    'refuse the id %p',
    async (holdId) => {
      const answer = await fixture.request
        .post('/api/orders')
        .set('Authorization', `Bearer user-${newId()}`)
        .set('Idempotency-Key', 'k')
        .send({ items: [{ productId: newId(), quantity: 1 }], holdId })
        .expect(400);
      expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer: '/holdId' }));
    },
  );

  it('are answered after their product has changed sales', async () => {
    const sale = await givenSale([5]);
    const userId = newId();
    const holdId = await givenHold(sale, userId, [1]);
    const placed = await place(sale, userId, [1], { holdId });
    const next = await givenSale([0]);
    const [productId = ''] = sale.products;
    const settings = { opensAtMs: 1, closesAtMs: 0, perBuyerLimit: 0, holdMs: 0 } as const;
    await fixture.ledger.putSale(
      {
        ...settings,
        saleId: sale.saleId,
        settingsVersion: 2,
        state: 'closed',
        durability: 'safe',
        products: [],
      },
      false,
    );
    const { ObjectId } = fixture.mongo.connection.base.mongo;
    const formerSales = [{ saleId: sale.saleId, leftAt: new Date() }];
    await fixture.mongo
      .db()
      .collection('products')
      .updateOne(
        { _id: new ObjectId(productId) },
        { $set: { saleId: next.saleId, saleChangedAt: new Date(), formerSales } },
      );
    const replay = await place(sale, userId, [1], { holdId });
    expect([replay.status, replay.text]).toEqual([201, placed.text]);
    expect((await place(sale, userId, [1], { holdId, key: 'new' })).status).toBe(409);
  });
});
