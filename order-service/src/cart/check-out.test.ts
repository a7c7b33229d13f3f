import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { newId } from '@quicksale/shared/testing';
import { openMemoryShop } from '../../test/memory-shop.ts';
import { emptied, removeItem, setQuantity } from './cart.ts';
import { changeCart } from './change-cart.ts';
import { checkOut, type CheckOutDeps, type CheckOutResult } from './check-out.ts';
import { putItem } from './put-item.ts';

type Sold = { productId: string; saleId: string };

describe('a checkout', () => {
  let shop: ReturnType<typeof openMemoryShop>;
  let deps: CheckOutDeps;
  let userId: string;
  beforeEach(() => {
    shop = openMemoryShop();
    deps = shop.deps;
    userId = newId();
  });

  const put = ({ productId }: Sold, quantity = 1) => putItem(deps, { userId, productId, quantity });
  const pay = (key = 'key', by = deps) => checkOut(by, { userId, key, body: {} });
  const inCart = async () =>
    Object.fromEntries(
      ((await deps.carts.read(userId))?.items ?? []).map((one) => [one.productId, one.quantity]),
    );
  const inShort = (result: CheckOutResult) =>
    result.status === 'done'
      ? {
          orders: result.orders.map(({ saleId }) => saleId),
          refused: result.refused.map(({ saleId, error }) => `${saleId} ${error.code}`),
        }
      : result.status;

  /** Dies once the orders are made: its cart is not changed any more. */
  const dyingBeforeClear = (): CheckOutDeps => ({
    ...deps,
    carts: {
      ...deps.carts,
      save: async (cart) => {
        if (!cart.checkingOut || cart.checkouts.length > 0) throw new Error('died');
        return deps.carts.save(cart);
      },
    },
  });

  it('executed again after a crash makes no second order, wherever its products are by then', async () => {
    const [lamp, desk] = [await shop.givenProduct(), await shop.givenProduct()];
    await put(lamp);
    await put(desk);
    await expect(pay('key', dyingBeforeClear())).rejects.toThrow('died');
    expect(await inCart()).toEqual({ [lamp.productId]: 1, [desk.productId]: 1 });
    // It moves to another sale, which has nothing to do with the order that there is.
    const next = await shop.givenProduct();
    const moved = shop.products.get(lamp.productId);
    if (!moved) throw new Error('no such product');
    await shop.putSale(next.saleId, { [lamp.productId]: 4999 });
    shop.memory.raise(next.saleId, lamp.productId, 5);
    shop.products.set(lamp.productId, {
      ...moved,
      saleId: next.saleId,
      saleChangedAt: new Date(deps.clock.now()),
      formerSales: [{ saleId: lamp.saleId, leftAt: new Date(deps.clock.now()) }],
    });
    expect(inShort(await pay())).toEqual({ orders: [lamp.saleId, desk.saleId], refused: [] });
    expect(await inCart()).toEqual({});
    expect((await shop.ordersOf(userId)).map(({ saleId }) => saleId).sort()).toEqual(
      [lamp.saleId, desk.saleId].sort(),
    );
  });

  it('is for what was in the cart when it began, whatever is in it now', async () => {
    const [lamp, desk] = [await shop.givenProduct(), await shop.givenProduct()];
    await put(lamp, 3);
    await expect(pay('key', dyingBeforeClear())).rejects.toThrow('died');
    await put(lamp, 2);
    await put(desk);
    expect(inShort(await pay())).toEqual({ orders: [lamp.saleId], refused: [] });
    expect(await inCart()).toEqual({ [lamp.productId]: 2, [desk.productId]: 1 });
    expect(await shop.available(lamp)).toBe(7);
    // And what it has ordered is taken off once.
    expect(inShort(await pay())).toEqual({ orders: [lamp.saleId], refused: [] });
    expect(await inCart()).toEqual({ [lamp.productId]: 2, [desk.productId]: 1 });
  });

  it('takes off what it has ordered though less of it, or nothing, is in the cart', async () => {
    const [lamp, desk] = [await shop.givenProduct(), await shop.givenProduct()];
    await put(lamp, 3);
    await put(desk, 3);
    await expect(pay('key', dyingBeforeClear())).rejects.toThrow('died');
    await changeCart(deps, userId, (cart) => ({
      status: 'changed',
      cart: removeItem(setQuantity(cart, lamp.productId, 1) ?? cart, desk.productId),
    }));
    await pay();
    expect(await inCart()).toEqual({});
  });

  it('of nothing but a plan goes on when the cart has been emptied', async () => {
    const lamp = await shop.givenProduct();
    await put(lamp);
    const unplugged: CheckOutDeps = {
      ...deps,
      ledger: { ...deps.ledger, reserve: () => Promise.reject(unavailable('away')) },
    };
    expect(inShort(await pay('key', unplugged))).toBe('unknown');
    await changeCart(deps, userId, (cart) => ({ status: 'emptied', cart: emptied(cart) }));
    expect(inShort(await pay())).toEqual({ orders: [lamp.saleId], refused: [] });
  });

  describe('while a price changes', () => {
    /** The price that the ledger has by the time it takes the units. */
    const changingAtReserve = (at: Sold, price: number): CheckOutDeps => ({
      ...deps,
      ledger: {
        ...deps.ledger,
        reserve: async (saleId, request) => {
          if (saleId === at.saleId) await shop.putSale(saleId, { [at.productId]: price });
          return deps.ledger.reserve(saleId, request);
        },
      },
    });

    it('cancels the order that nobody has agreed to, and keeps the others', async () => {
      const [lamp, desk] = [await shop.givenProduct(), await shop.givenProduct()];
      await put(lamp, 2);
      await put(desk);
      const result = await pay('key', changingAtReserve(lamp, 6000));
      expect(inShort(result)).toEqual({
        orders: [desk.saleId],
        refused: [`${lamp.saleId} price-changed`],
      });
      expect(result.status === 'done' && result.refused[0]?.error.extensions).toEqual({
        products: [{ productId: lamp.productId, was: 49.99, now: 60 }],
      });
      expect(await shop.ordersOf(userId)).toEqual(
        expect.arrayContaining([
          { saleId: lamp.saleId, status: 'CANCELLED' },
          { saleId: desk.saleId, status: 'PENDING' },
        ]),
      );
      expect(await shop.available(lamp)).toBe(10);
      expect(await inCart()).toEqual({ [lamp.productId]: 2 });
      // The same key has the same to say, and the next one orders at the price that is known now.
      expect(inShort(await pay())).toEqual(inShort(result));
      expect(await shop.ordersOf(userId)).toHaveLength(2);
      expect(inShort(await pay('next'))).toEqual({ orders: [lamp.saleId], refused: [] });
      expect(await shop.available(lamp)).toBe(8);
    });

    it('takes it back also when its process dies over it', async () => {
      const lamp = await shop.givenProduct();
      await put(lamp);
      const dying = changingAtReserve(lamp, 6000);
      dying.recorder = {
        record: async (hold) => {
          await deps.recorder.record(hold);
          throw new Error('died');
        },
      };
      await expect(pay('key', dying)).rejects.toThrow('died');
      expect(await shop.ordersOf(userId)).toEqual([{ saleId: lamp.saleId, status: 'PENDING' }]);
      expect(inShort(await pay())).toEqual({
        orders: [],
        refused: [`${lamp.saleId} price-changed`],
      });
      expect(await shop.ordersOf(userId)).toEqual([{ saleId: lamp.saleId, status: 'CANCELLED' }]);
    });

    it('says the same when it dies after the cart has the new price', async () => {
      const lamp = await shop.givenProduct();
      await put(lamp);
      await shop.putSale(lamp.saleId, { [lamp.productId]: 6000 });
      expect(await pay()).toMatchObject({ changes: [{ was: 4999, now: 6000 }] });
      // Its answer was lost: the buyer has still not seen the price.
      expect(await pay()).toMatchObject({ changes: [{ was: 4999, now: 6000 }] });
      expect(await shop.ordersOf(userId)).toEqual([]);
    });

    it('goes by the price at which it began', async () => {
      const lamp = await shop.givenProduct();
      await put(lamp);
      await expect(pay('key', dyingBeforeClear())).rejects.toThrow('died');
      await shop.putSale(lamp.saleId, { [lamp.productId]: 6000 });
      // The order is there, at the price that was agreed to.
      expect(inShort(await pay())).toEqual({ orders: [lamp.saleId], refused: [] });
    });
  });

  it('looks again where a product is sold now before it is compared', async () => {
    const lamp = await shop.givenProduct();
    await put(lamp);
    const next = await shop.givenProduct();
    await shop.putSale(next.saleId, { [lamp.productId]: 3000 });
    shop.memory.raise(next.saleId, lamp.productId, 5);
    const product = shop.products.get(lamp.productId);
    if (!product) throw new Error('no such product');
    shop.memory.loseSale(lamp.saleId);
    const stale = new Map([[lamp.productId, product]]);
    shop.products.set(lamp.productId, { ...product, saleId: next.saleId });
    const { catalogue } = deps;
    deps = {
      ...deps,
      catalogue: {
        find: async (ids) => new Map([...(await catalogue.find(ids)), ...stale]),
        forget: (id) => void stale.delete(id),
      },
    };
    expect(await pay()).toMatchObject({ status: 'price_changed', changes: [{ now: 3000 }] });
    expect(await shop.ordersOf(userId)).toEqual([]);
  });

  describe('that was never asked for again', () => {
    it('keeps others away for a while, then what it has ordered is not ordered again', async () => {
      const [lamp, desk] = [await shop.givenProduct(), await shop.givenProduct()];
      await put(lamp, 2);
      await expect(pay('dead', dyingBeforeClear())).rejects.toThrow('died');
      await put(desk);
      expect(inShort(await pay('next'))).toBe('busy');
      shop.pass(15_000);
      expect(inShort(await pay('next'))).toEqual({ orders: [desk.saleId], refused: [] });
      expect(await shop.ordersOf(userId)).toHaveLength(2);
      expect(await inCart()).toEqual({});
      // Late, it tells of what it has ordered.
      expect(inShort(await pay('dead'))).toEqual({ orders: [lamp.saleId], refused: [] });
      expect(await shop.ordersOf(userId)).toHaveLength(2);
    });

    it('orders nothing more when it is asked for after another one has taken over', async () => {
      const lamp = await shop.givenProduct();
      await put(lamp);
      const away = { ...deps.ledger, reserve: () => Promise.reject(unavailable('away')) };
      expect(inShort(await pay('dead', { ...deps, ledger: away }))).toBe('unknown');
      shop.pass(15_000);
      expect(inShort(await pay('next'))).toEqual({ orders: [lamp.saleId], refused: [] });
      await put(lamp);
      expect(inShort(await pay('dead'))).toEqual({
        orders: [],
        refused: [`${lamp.saleId} cart-empty`],
      });
      expect(await shop.ordersOf(userId)).toHaveLength(1);
      expect(await inCart()).toEqual({ [lamp.productId]: 1 });
    });

    it('leaves the cart alone when it had ordered nothing', async () => {
      const lamp = await shop.givenProduct();
      await put(lamp);
      deps.plans.keep = () => Promise.reject(new Error('died'));
      await expect(pay('dead')).rejects.toThrow('died');
      deps.plans = openMemoryShop().deps.plans;
      shop.pass(15_000);
      expect(inShort(await pay('next'))).toEqual({ orders: [lamp.saleId], refused: [] });
    });
  });

  it('by two processes at once is one, though the slow one comes after the cart is cleared', async () => {
    const lamp = await shop.givenProduct();
    await put(lamp);
    const { plans } = deps;
    let looks = 0;
    const slow: CheckOutDeps = {
      ...deps,
      plans: {
        ...plans,
        find: async (digest) => {
          const found = await plans.find(digest);
          // Its twin does all of it between its first look and its second step.
          if ((looks += 1) === 1) await pay();
          return found;
        },
      },
    };
    expect(inShort(await pay('key', slow))).toEqual({ orders: [lamp.saleId], refused: [] });
    expect(await shop.ordersOf(userId)).toHaveLength(1);
  });

  it('with another body is another request, which does not keep the cart to itself', async () => {
    const lamp = await shop.givenProduct(0);
    await put(lamp);
    expect(inShort(await pay())).toEqual({ orders: [], refused: [`${lamp.saleId} sold-out`] });
    const shippingAddress = { line1: '1', city: 'C', postalCode: '1', country: 'DE' };
    const other = await checkOut(deps, { userId, key: 'key', body: { shippingAddress } });
    expect(inShort(other)).toBe('key_reused');
    expect(await deps.carts.read(userId)).not.toHaveProperty('checkingOut');
  });

  it('of an empty cart has nothing to do', async () => {
    expect(inShort(await pay())).toBe('empty');
    expect(await deps.carts.read(userId)).toBeUndefined();
  });
});
