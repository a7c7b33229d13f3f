import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { cartOf, codeOf, unitsIn } from './cart-client.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

describe('a cart', () => {
  let fixture: OrderFixture;
  beforeAll(async () => {
    fixture = await startOrders({ QUICKSALE_REPAIRS_OFF: 'expiry-sweep' });
  }, 60_000);
  afterAll(() => fixture?.stop());

  const newCart = () => cartOf(fixture, newId());
  const setPrice = ({ saleId, productId }: { saleId: string; productId: string }, price: number) =>
    fixture.putSale({
      ...{ saleId, settingsVersion: price },
      products: [{ productId, price, away: false }],
    });

  async function givenHold(
    { saleId, productId }: { saleId: string; productId: string },
    userId: string,
    ttlMs = 60_000,
  ): Promise<string> {
    const orderId = newId();
    const [reply] = await fixture.ledger.reserve(saleId, [
      {
        ...{ orderId, userId, kind: 'bare', digest: newId(), fingerprint: 'f', ttlMs, facts: '' },
        items: [{ productId, quantity: 1 }],
      },
    ]);
    expect(reply?.status).toBe('reserved');
    return saleId + orderId;
  }

  it('is empty for whoever has put nothing into it', async () => {
    const cart = newCart();
    expect(await cart.read()).toEqual({ items: [], subtotals: [], version: 0 });
    expect((await cart.empty()).status).toBe(204);
    expect((await cart.remove(newId())).status).toBe(204);
    expect(codeOf(await cart.checkOut('k'))).toBe('409 cart-empty');
  });

  it('shows what is in it, with prices and stock of this moment', async () => {
    const cart = newCart();
    const [lamp, desk] = [await fixture.givenProduct(7), await fixture.givenProduct(3)];
    expect((await cart.put({ productId: lamp.productId, quantity: 2 })).status).toBe(201);
    const second = await cart.put({ productId: desk.productId });
    expect(second.body).toEqual(await cart.read());
    expect(await cart.read()).toMatchObject({
      items: [
        {
          productId: lamp.productId,
          saleId: lamp.saleId,
          ...{ sku: 'LAMP', name: 'Lamp', currency: 'USD' },
          ...{ quantity: 2, unitPrice: 49.99, subtotal: 99.98, available: 7, isSold: true },
        },
        { productId: desk.productId, quantity: 1, available: 3 },
      ],
      subtotals: [{ currency: 'USD', amount: 149.97 }],
    });
    await setPrice(lamp, 6000);
    expect((await cart.read()).items[0]).toMatchObject({ unitPrice: 60, priceWas: 49.99 });
    expect((await cart.read()).items[1]).not.toHaveProperty('priceWas');
  });

  it('adds units of a product up, and keeps the price that its owner knows', async () => {
    const cart = newCart();
    const lamp = await fixture.givenProduct(7);
    await cart.put({ productId: lamp.productId, quantity: 60 }).expect(201);
    await setPrice(lamp, 6000);
    const merged = await cart.put({ productId: lamp.productId.toUpperCase(), quantity: 40 });
    expect([merged.status, merged.body.items]).toMatchObject([
      200,
      [{ quantity: 100, unitPrice: 60, priceWas: 49.99 }],
    ]);
    const refused = await cart.put({ productId: lamp.productId });
    expect([codeOf(refused), refused.body.most]).toEqual(['409 cart-limit-reached', 100]);
    await cart.set(lamp.productId, 3).expect(200);
    expect(unitsIn(await cart.read())).toEqual({ [lamp.productId]: 3 });
    expect(codeOf(await cart.set(newId(), 3))).toBe('404 not-found');
    for (const quantity of [0, 101, 1.5, -1])
      expect(codeOf(await cart.set(lamp.productId, quantity))).toBe('400 validation-failed');
    await cart.remove(lamp.productId).expect(204);
    expect(unitsIn(await cart.read())).toEqual({});
  });

  it('is its owner’s alone', async () => {
    const [mine, theirs] = [newCart(), newCart()];
    const lamp = await fixture.givenProduct(7);
    await mine.put({ productId: lamp.productId }).expect(201);
    await theirs.empty().expect(204);
    expect((await theirs.read()).items).toEqual([]);
    expect((await mine.read()).items).toHaveLength(1);
  });

  it('loses nothing of what two tabs put into it at once', async () => {
    const cart = newCart();
    const products = await Promise.all(Array.from({ length: 8 }, () => fixture.givenProduct(9)));
    const answers = await Promise.all(
      products.flatMap(({ productId }) => [cart.put({ productId }), cart.put({ productId })]),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([
      ...Array<number>(8).fill(200),
      ...Array<number>(8).fill(201),
    ]);
    expect(unitsIn(await cart.read())).toEqual(
      Object.fromEntries(products.map(({ productId }) => [productId, 2])),
    );
  });

  it('takes nothing that is not sold, and shows what is not sold any more', async () => {
    const cart = newCart();
    expect(codeOf(await cart.put({ productId: newId() }))).toBe('422 unknown-product');
    const archived = { productId: newId(), saleId: newId(), archived: true };
    await fixture.givenCatalogueEntry(archived);
    expect(codeOf(await cart.put(archived))).toBe('400 validation-failed');
    expect(codeOf(await cart.put({ productId: archived.productId }))).toBe('422 unknown-product');

    const { productId } = await fixture.givenProduct(5);
    const other = await fixture.givenProduct(5);
    const userId = newId();
    await cartOf(fixture, userId).put({ productId }).expect(201);
    await cartOf(fixture, userId).put({ productId: other.productId }).expect(201);
    const { ObjectId } = fixture.mongo.connection.base.mongo;
    await fixture.mongo
      .db()
      .collection('products')
      .updateOne({ _id: new ObjectId(productId) }, { $set: { archived: true } });
    // This one has not read it yet.
    const twin = cartOf(await fixture.startTwin(), userId);
    expect(codeOf(await twin.put({ productId }))).toBe('422 unknown-product');
    expect(await twin.read()).toMatchObject({
      items: [{ productId, isSold: false }, { isSold: true }],
      subtotals: [{ amount: 49.99 }],
    });
    const done = await twin.checkOut('k');
    expect(done.body).toMatchObject({
      orders: [{ saleId: other.saleId }],
      refused: [{ saleId: null, items: [{ productId }], problem: { code: 'unknown-product' } }],
    });
    expect(unitsIn(await twin.read())).toEqual({ [productId]: 1 });
    expect(codeOf(await twin.checkOut('k2'))).toBe('422 unknown-product');
  });

  it('holds at most a hundred products', async () => {
    const cart = newCart();
    const saleId = newId();
    const ids = Array.from({ length: 101 }, () => newId());
    await Promise.all(ids.map((productId) => fixture.givenCatalogueEntry({ productId, saleId })));
    await fixture.putSale({
      saleId,
      products: ids.map((productId) => ({ productId, price: 100, away: false })),
    });
    for (const productId of ids) await fixture.ledger.raise(saleId, productId, 1);
    for (const productId of ids.slice(0, 100)) await cart.put({ productId }).expect(201);
    const refused = await cart.put({ productId: ids[100] ?? '' });
    expect([codeOf(refused), refused.body.most]).toEqual(['409 cart-limit-reached', 100]);
    // More than an order takes.
    const answer = await cart.checkOut('k');
    expect([codeOf(answer), answer.body.most]).toEqual(['409 cart-limit-reached', 20]);
    expect(await fixture.orders(saleId)).toEqual([]);
    await cart.empty().expect(204);
    expect((await cart.read()).items).toEqual([]);
  });

  describe('with holds', () => {
    it('takes one that is there, is its owner’s and has the product', async () => {
      const userId = newId();
      const cart = cartOf(fixture, userId);
      const [lamp, desk] = [await fixture.givenProduct(9), await fixture.givenProduct(9)];
      const mine = await givenHold(lamp, userId);
      for (const holdId of [
        await givenHold(lamp, newId()),
        await givenHold(lamp, userId, 1),
        await givenHold(desk, userId),
        lamp.saleId + newId(),
      ])
        expect(codeOf(await cart.put({ productId: lamp.productId, holdId }))).toBe('409 hold-gone');
      await cart.put({ productId: lamp.productId, holdId: mine }).expect(201);
      expect((await cart.read()).items).toMatchObject([{ holdId: mine }]);
    });

    it('takes one of a sale, and another in its place', async () => {
      const userId = newId();
      const cart = cartOf(fixture, userId);
      const lamp = await fixture.givenProduct(9);
      const desk = { saleId: lamp.saleId, productId: newId() };
      await fixture.givenCatalogueEntry(desk);
      await fixture.putSale({
        ...{ saleId: lamp.saleId, settingsVersion: 2 },
        products: [{ productId: desk.productId, price: 100, away: false }],
      });
      await fixture.ledger.raise(lamp.saleId, desk.productId, 9);
      const [first, second] = [await givenHold(lamp, userId), await givenHold(desk, userId)];
      await cart.put({ productId: lamp.productId, holdId: first }).expect(201);
      const refused = await cart.put({ productId: desk.productId, holdId: second });
      expect([codeOf(refused), refused.body.most]).toEqual(['409 cart-limit-reached', 1]);
      const next = await givenHold(lamp, userId);
      await cart.put({ productId: lamp.productId, holdId: next }).expect(200);
      expect((await cart.read()).items).toMatchObject([{ quantity: 2, holdId: next }]);
    });

    it('orders its units though nothing else is left', async () => {
      const userId = newId();
      const cart = cartOf(fixture, userId);
      const lamp = await fixture.givenProduct(1);
      const holdId = await givenHold(lamp, userId);
      await cart.put({ productId: lamp.productId, holdId }).expect(201);
      expect((await cart.read()).items).toMatchObject([{ available: 0 }]);
      const done = await cart.checkOut('k');
      expect([done.status, done.body.orders?.length]).toEqual([201, 1]);
      expect((await cart.read()).items).toEqual([]);
    });

    it('says of one that has ended, and does without it the next time', async () => {
      const userId = newId();
      const cart = cartOf(fixture, userId);
      const lamp = await fixture.givenProduct(5);
      const holdId = await givenHold(lamp, userId);
      await cart.put({ productId: lamp.productId, holdId }).expect(201);
      const orderId = holdId.slice(24);
      const held = await fixture.ledger.readHolds(lamp.saleId, [orderId]);
      if (typeof held === 'string') throw new Error(held);
      await fixture.ledger.release(lamp.saleId, [{ orderId, units: held.records[0]?.units ?? {} }]);
      expect(codeOf(await cart.checkOut('first'))).toBe('409 hold-gone');
      expect((await cart.read()).items[0]).not.toHaveProperty('holdId');
      expect((await cart.checkOut('second')).status).toBe(201);
    });
  });

  it('shows what its owner knows while the ledger is away', async () => {
    const cart = newCart();
    const lamp = await fixture.givenProduct(7);
    await cart.put({ productId: lamp.productId, quantity: 2 }).expect(201);
    await setPrice(lamp, 6000);
    const shard = fixture.keys.sale(lamp.saleId).stock;
    const { client } = fixture.redis;
    const saved = await client.dumpBuffer(shard);
    // A key of another type stands for a ledger that answers nothing.
    await client.set(shard, 'x');
    expect((await cart.read()).items).toMatchObject([
      { unitPrice: 49.99, available: null, isSold: true },
    ]);
    expect(codeOf(await cart.put({ productId: lamp.productId }))).toBe(
      '503 dependency-unavailable',
    );
    expect(codeOf(await cart.checkOut('k'))).toBe('503 dependency-unavailable');
    await client.restore(shard, 0, saved ?? '', 'REPLACE');
    expect((await cart.read()).items).toMatchObject([{ unitPrice: 60, available: 7 }]);
    // What it was for is not frozen yet: the price is told.
    expect(codeOf(await cart.checkOut('k'))).toBe('409 price-changed');
  });
});
