import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { cartOf, codeOf, unitsIn, type CartClient } from './cart-client.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

describe('the checkout of a cart', () => {
  let fixture: OrderFixture;
  beforeAll(async () => {
    fixture = await startOrders({ QUICKSALE_REPAIRS_OFF: 'expiry-sweep' });
  }, 60_000);
  afterAll(() => fixture?.stop());

  interface Sale {
    saleId: string;
    productId: string;
  }
  const shippingAddress = {
    line1: 'Main Street 1',
    city: 'Springfield',
    postalCode: '12345',
    country: 'US',
  };

  /** A cart with so many units of a product of each sale. */
  async function givenCart(sales: readonly Sale[], quantity = 1) {
    const userId = newId();
    const cart = cartOf(fixture, userId);
    for (const { productId } of sales) await cart.put({ productId, quantity }).expect(201);
    return { userId, cart };
  }
  const setPrice = ({ saleId, productId }: Sale, price: number) =>
    fixture.putSale({
      ...{ saleId, settingsVersion: price },
      products: [{ productId, price, away: false }],
    });
  const ordersOf = async (sales: readonly Sale[]) =>
    Promise.all(sales.map(async ({ saleId }) => (await fixture.orders(saleId)).length));
  async function available({ saleId, productId }: Sale) {
    const [line] = await fixture.ledger.shownStock([{ saleId, productId }]);
    return line?.available;
  }

  it('makes one order for each sale, and takes off what it has ordered', async () => {
    const sales = [await fixture.givenProduct(5), await fixture.givenProduct(5)];
    const { userId, cart } = await givenCart(sales, 2);
    const done = await cart.checkOut('key', { shippingAddress });
    expect(done.status).toBe(201);
    expect(done.body).toMatchObject({
      orders: sales.map(({ saleId, productId }) => ({
        ...{ saleId, userId, totalAmount: 99.98, status: 'PENDING', idempotencyKey: 'key' },
        items: [{ productId, quantity: 2, unitPrice: 49.99 }],
      })),
      refused: [],
    });
    expect((await cart.read()).items).toEqual([]);
    for (const sale of sales) {
      expect(await fixture.orders(sale.saleId)).toMatchObject([{ userId, shippingAddress }]);
      expect(await available(sale)).toBe(3);
    }
    // The same again is said again; anything else under the key is not.
    const again = await cart.checkOut('key', { shippingAddress });
    expect([again.status, again.text, again.headers['idempotent-replayed']]).toEqual([
      ...[201, done.text, 'true'],
    ]);
    expect(codeOf(await cart.checkOut('key'))).toBe('422 idempotency-key-reused');
    expect(codeOf(await cart.checkOut('other'))).toBe('409 cart-empty');
    expect(await ordersOf(sales)).toEqual([1, 1]);
  });

  it("takes each merchant's own code off the order of his sale", async () => {
    const sales = [await fixture.givenProduct(5), await fixture.givenProduct(5)];
    const [first, second] = sales.map(({ saleId }) => saleId) as [string, string];
    await fixture.request
      .post('/api/merchant/discounts')
      .set('Authorization', `Bearer merchant-${first}`)
      .send({ code: 'HALF', kind: 'percentage', value: 50 })
      .expect(201);
    const { cart } = await givenCart(sales);
    const wrong = { discountCodes: { [first]: 'HALF', [newId()]: 'HALF' } };
    expect(codeOf(await cart.checkOut('wrong', wrong))).toBe('400 validation-failed');
    // Nothing was begun: the next one is not kept waiting.
    const discountCodes = { [first]: 'HALF', [second]: 'HALF' };
    const done = await cart.checkOut('key', { discountCodes });
    expect(done.body).toMatchObject({
      orders: [{ saleId: first, totalAmount: 24.99 }],
      refused: [{ saleId: second, problem: { code: 'unknown-discount' } }],
    });
    expect((await cart.read()).items).toMatchObject([{ saleId: second }]);
  });

  it('orders what there is of two sales when one is sold out, and says so', async () => {
    const [lamp, gone] = [await fixture.givenProduct(5), await fixture.givenProduct(1)];
    const { cart } = await givenCart([lamp, gone]);
    await fixture.place({ userId: newId(), key: 'k', productId: gone.productId }).expect(201);
    const done = await cart.checkOut('key');
    expect(done.body).toMatchObject({
      orders: [{ saleId: lamp.saleId }],
      refused: [
        {
          saleId: gone.saleId,
          items: [{ productId: gone.productId, quantity: 1, unitPrice: 49.99 }],
          problem: {
            ...{ code: 'sold-out', status: 409, title: 'Sold out' },
            products: [{ productId: gone.productId, available: 0 }],
          },
        },
      ],
    });
    expect(unitsIn(await cart.read())).toEqual({ [gone.productId]: 1 });
    const alone = await cart.checkOut('next');
    expect([codeOf(alone), alone.body.refused]).toEqual(['409 sold-out', undefined]);
    expect(await ordersOf([lamp, gone])).toEqual([1, 1]);
  });

  it('is refused whole when there is no order, with every reason', async () => {
    const [gone, paused] = [await fixture.givenProduct(0), await fixture.givenProduct(5)];
    const { cart } = await givenCart([gone, paused]);
    await fixture.putSale({ saleId: paused.saleId, settingsVersion: 2, state: 'paused' });
    const refused = await cart.checkOut('key');
    expect(codeOf(refused)).toBe('409 sold-out');
    expect(refused.body.refused).toMatchObject([
      { saleId: gone.saleId, problem: { code: 'sold-out' } },
      { saleId: paused.saleId, problem: { code: 'sale-paused' } },
    ]);
    expect(Object.keys(unitsIn(await cart.read()))).toHaveLength(2);
    // Nothing has happened, so the same key may be tried again.
    await fixture.ledger.raise(gone.saleId, gone.productId, 3);
    expect((await cart.checkOut('key')).body).toMatchObject({
      orders: [{ saleId: gone.saleId }],
      refused: [{ saleId: paused.saleId }],
    });
  });

  it('with one key twenty times at once is one checkout', async () => {
    const sales = [await fixture.givenProduct(50), await fixture.givenProduct(50)];
    const { userId, cart } = await givenCart(sales);
    const twin = cartOf(await fixture.startTwin(), userId);
    const tries = Array.from({ length: 20 }, (_, n) => (n % 2 ? cart : twin).checkOut('key'));
    const answers = await Promise.all(tries);
    const told = new Set(answers.map(({ status, text }) => `${status} ${text}`));
    expect([...told]).toHaveLength(1);
    expect(answers[0]?.status).toBe(201);
    expect(await ordersOf(sales)).toEqual([1, 1]);
    expect((await cart.read()).items).toEqual([]);
  });

  it('with twenty keys at once is one checkout', async () => {
    const sales = [await fixture.givenProduct(50), await fixture.givenProduct(50)];
    const { cart } = await givenCart(sales);
    const keys = Array.from({ length: 20 }, (_, n) => `key-${n}`);
    const answers = await Promise.all(keys.map((key) => cart.checkOut(key)));
    const codes = answers.map(codeOf);
    expect(codes.filter((code) => code === '201')).toHaveLength(1);
    for (const code of codes)
      expect(['201', '409 request-in-progress', '409 cart-empty']).toContain(code);
    expect(await ordersOf(sales)).toEqual([1, 1]);
  });

  it('loses nothing that is put in meanwhile', async () => {
    const [lamp, desk] = [await fixture.givenProduct(500), await fixture.givenProduct(500)];
    const kept: (number | undefined)[] = [];
    for (let round = 0; round < 20; round += 1) {
      const { cart } = await givenCart([lamp], 2);
      const [done, ...puts] = await Promise.all([
        cart.checkOut('key'),
        cart.put({ productId: lamp.productId }),
        cart.put({ productId: desk.productId }),
      ]);
      expect([done.status, ...puts.map(({ status }) => status < 300)]).toEqual([201, true, true]);
      const ordered = (done.body.orders as { items: { productId: string; quantity: number }[] }[])
        .flatMap(({ items }) => items)
        .filter(({ productId }) => productId === lamp.productId)[0]?.quantity;
      const left = unitsIn(await cart.read())[lamp.productId] ?? 0;
      expect(Number(ordered) + left).toBe(3);
      kept.push(left);
    }
    process.stdout.write(`units that came late: ${kept.join(' ')}\n`);
  });

  it('tells of new prices before it orders anything', async () => {
    const sales = [await fixture.givenProduct(5), await fixture.givenProduct(5)];
    const [lamp, desk] = sales as [Sale, Sale];
    const { cart } = await givenCart(sales);
    await setPrice(lamp, 6000);
    const refused = await cart.checkOut('key');
    expect([codeOf(refused), refused.body.products]).toEqual([
      '409 price-changed',
      [{ productId: lamp.productId, was: 49.99, now: 60 }],
    ]);
    expect(await ordersOf(sales)).toEqual([0, 0]);
    // The key has its answer, whatever the price is now.
    await setPrice(lamp, 7000);
    const again = await cart.checkOut('key');
    expect([again.status, again.text]).toEqual([409, refused.text]);
    // 60 is what the buyer knows.
    expect(codeOf(await cart.checkOut('second'))).toBe('409 price-changed');
    const done = await cart.checkOut('third');
    expect(done.body.orders).toMatchObject([{ totalAmount: 70 }, { totalAmount: 49.99 }]);
    expect(await ordersOf([lamp, desk])).toEqual([1, 1]);
  });

  const buyerOf = async (): Promise<{ cart: CartClient; limited: Sale }> => {
    const limited = await fixture.givenProduct(9, { opensAtMs: 1, perBuyerLimit: 1 });
    return { cart: (await givenCart([limited], 2)).cart, limited };
  };

  it.each([
    ['409 buyer-limit-reached', {}],
    ['409 sale-not-open', { opensAtMs: Date.now() + 3_600_000 }],
    ['409 sale-closed', { state: 'closed' as const }],
    ['409 sale-paused', { state: 'paused' as const }],
  ])('says %s as an order does', async (code, settings) => {
    const { cart, limited } = await buyerOf();
    const { saleId } = limited;
    await fixture.putSale({
      saleId,
      settingsVersion: 9,
      opensAtMs: 1,
      perBuyerLimit: 1,
      ...settings,
    });
    expect(codeOf(await cart.checkOut('key'))).toBe(code);
    expect(unitsIn(await cart.read())).toEqual({ [limited.productId]: 2 });
  });

  it('that is not certain is completed by the same key, and by no other before that', async () => {
    const [lamp, fenced] = [await fixture.givenProduct(5), await fixture.givenProduct(5)];
    const { cart } = await givenCart([lamp, fenced]);
    await fixture.redis.client.hset(fixture.keys.sale(fenced.saleId).sale, 'fenced', '1');
    const unsure = await cart.checkOut('key');
    expect([codeOf(unsure), Number(unsure.headers['retry-after']) > 0]).toEqual([
      ...['503 sale-fenced', true],
    ]);
    // What was ordered is off the cart already: who gives the key up does not order it twice.
    expect(unitsIn(await cart.read())).toEqual({ [fenced.productId]: 1 });
    expect(codeOf(await cart.checkOut('other'))).toBe('409 request-in-progress');
    expect(codeOf(await cart.checkOut('key', { shippingAddress }))).toBe(
      '422 idempotency-key-reused',
    );
    await cart.put({ productId: lamp.productId }).expect(201);
    await fixture.redis.client.hset(fixture.keys.sale(fenced.saleId).sale, 'fenced', '0');
    const done = await cart.checkOut('key');
    expect(done.body).toMatchObject({
      orders: [{ saleId: lamp.saleId }, { saleId: fenced.saleId }],
      refused: [],
    });
    expect(await ordersOf([lamp, fenced])).toEqual([1, 1]);
    // Taken off once: this one was put in later.
    expect(unitsIn(await cart.read())).toEqual({ [lamp.productId]: 1 });
  });

  it('takes neither prices nor items from its caller, and no request without a key', async () => {
    const lamp = await fixture.givenProduct(5);
    const { cart } = await givenCart([lamp]);
    for (const field of ['items', 'price', 'prices', 'userId', 'totalAmount', 'holdId']) {
      const refused = await cart.checkOut(newId(), { [field]: 1 });
      expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, `/${field}`]);
    }
    for (const field of ['price', 'unitPrice', 'saleId']) {
      const item = { productId: lamp.productId, [field]: 1 };
      expect(codeOf(await cart.put(item))).toBe('400 validation-failed');
    }
    expect(codeOf(await cart.remove('x'))).toBe('400 validation-failed');
    expect(codeOf(await cart.checkOut('x'.repeat(256)))).toBe('400 idempotency-key-invalid');
    expect(await ordersOf([lamp])).toEqual([0]);
  });

  it('of an order by hand under the same key is another request', async () => {
    const lamp = await fixture.givenProduct(5);
    const { userId, cart } = await givenCart([lamp]);
    await fixture.place({ userId, key: 'key', productId: lamp.productId }).expect(201);
    expect((await cart.checkOut('key')).status).toBe(201);
    expect(await ordersOf([lamp])).toEqual([2]);
  });
});
