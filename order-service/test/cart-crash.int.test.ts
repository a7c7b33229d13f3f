import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import supertest from 'supertest';
import { cartOf, codeOf, unitsIn } from './cart-client.ts';
import { makeDue } from './make-due.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import { startTokenIssuer } from './token-issuer.ts';

/** Where it dies, and whether its cart has been cleared by then. */
const points = [
  { point: 'after-checkout-planned', orders: [0, 0], isCleared: false },
  { point: 'after-reserve', orders: [0, 0], isCleared: false },
  { point: 'after-insert', isCleared: false },
  { point: 'after-checkout-ordered', orders: [1, 1], isCleared: false },
  { point: 'after-checkout-ordered', orders: [1, 1], isCleared: false, moves: true },
  { point: 'after-checkout-cleared', orders: [1, 1], isCleared: true },
] as const;

describe('a checkout whose process is killed', () => {
  let fixture: OrderFixture;
  let issuer: Awaited<ReturnType<typeof startTokenIssuer>>;
  const running: OrderProcess[] = [];
  beforeAll(async () => {
    // Looks into the stores; its own service is stopped, so that only the processes do anything.
    fixture = await startOrders();
    await fixture.stopService();
    issuer = await startTokenIssuer();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
  }, 30_000);
  afterAll(async () => {
    await fixture?.stop();
    await issuer?.stop();
  });

  async function start(fault?: string): Promise<OrderProcess> {
    const started = await startOrderProcess({
      NAMESPACE: fixture.namespace,
      JWKS_URL: issuer.jwksUrl,
      INTERNAL_KEY: 'an internal key of a test',
      ...(fault && { QUICKSALE_FAULT: fault }),
    });
    running.push(started);
    return started;
  }

  const cartAt = ({ url }: OrderProcess, userId: string) =>
    cartOf({ request: supertest(url) }, userId, issuer.tokenOf(userId));
  const idsOf = async (saleId: string) =>
    (await fixture.orders(saleId)).map(({ _id }) => String(_id));

  /** What the crash left, so that a fault point in a wrong place is noticed. */
  async function dieAt(row: (typeof points)[number]) {
    const { point, isCleared } = row;
    const userId = newId();
    const [lamp, desk] = [await fixture.givenProduct(9), await fixture.givenProduct(9)];
    const doomed = await start(point);
    const cart = cartAt(doomed, userId);
    for (const { productId } of [lamp, desk]) await cart.put({ productId, quantity: 2 });
    await expect(cart.checkOut('key')).rejects.toThrow();
    expect(await doomed.ended).toBe('SIGKILL');
    const counts = [(await idsOf(lamp.saleId)).length, (await idsOf(desk.saleId)).length];
    if ('orders' in row) expect(counts).toEqual(row.orders);
    const stored = await fixture.mongo
      .db()
      .collection<{ _id: string; items: unknown[]; checkingOut?: unknown }>('carts')
      .findOne({ _id: userId });
    expect([stored?.items.length, stored?.checkingOut === undefined]).toEqual([
      isCleared ? 0 : 2,
      isCleared,
    ]);
    return { row, userId, sales: [lamp, desk] as const };
  }

  /** To another sale at the same price, as inventory-service does it. */
  async function moveAway({ productId, saleId }: { productId: string; saleId: string }) {
    const next = newId();
    await fixture.putSale({
      saleId: next,
      products: [{ productId, price: 4999, away: false }],
    });
    await fixture.ledger.raise(next, productId, 9);
    const { ObjectId } = fixture.mongo.connection.base.mongo;
    const leftAt = new Date();
    await fixture.mongo
      .db()
      .collection('products')
      .updateOne(
        { _id: new ObjectId(productId) },
        { $set: { saleId: next, saleChangedAt: leftAt, formerSales: [{ saleId, leftAt }] } },
      );
    return next;
  }

  it('is completed by the same key: each sale ordered once, and taken off once', async () => {
    const left = [];
    for (const row of points) left.push(await dieAt(row));
    for (const { sales } of left) for (const { saleId } of sales) await makeDue(fixture, saleId);
    const next = await start();
    await Promise.all(
      left.map(async ({ row, userId, sales: [lamp, desk] }) => {
        const cart = cartAt(next, userId);
        const movedTo = 'moves' in row ? await moveAway(lamp) : undefined;
        // It comes after the checkout, and is not what that has ordered.
        await cart.put({ productId: lamp.productId });
        const done = await eventually(async () => {
          const answer = await cart.checkOut('key');
          expect(codeOf(answer)).toBe('201');
          return answer;
        }, 40_000);
        const ids = [await idsOf(lamp.saleId), await idsOf(desk.saleId)].flat();
        expect([row.point, ids.length]).toEqual([row.point, 2]);
        const told = done.body.orders as { _id: string }[];
        expect(told.map(({ _id }) => _id)).toEqual(ids);
        expect(done.body.refused).toEqual([]);
        expect([row.point, unitsIn(await cart.read())]).toEqual([
          row.point,
          { [lamp.productId]: 1 },
        ]);
        if (movedTo) expect(await idsOf(movedTo)).toEqual([]);
        for (const { saleId, productId } of [lamp, desk])
          expect(await fixture.ledger.shownStock([{ saleId, productId }])).toEqual([
            { stock: 9, reserved: 2, available: 7 },
          ]);
        // And the next one is another.
        expect((await cart.checkOut('key')).text).toBe(done.text);
        expect((await cart.checkOut('next')).body.orders).toHaveLength(1);
      }),
    );
  }, 180_000);
});
