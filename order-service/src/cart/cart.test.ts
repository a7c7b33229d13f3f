import { describe, expect, it } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { addItem, emptied, newCart, removeItem, setQuantity, type Cart } from './cart.ts';
import { planCheckout } from './checkout-plan.ts';
import type { SoldProduct } from './read-products.ts';
import { settleCheckout, type CheckoutOutcome } from './settle-checkout.ts';

const at = new Date(0);
const saleId = 'a'.repeat(24);
const item = (productId: string, quantity = 1, price = 100) => ({
  ...{ productId, quantity, price, addedAt: at },
});
const cartOf = (...items: Cart['items']): Cart => ({ ...newCart(newId()), items });
const hold = (recordId: string, of = saleId) => ({
  id: of + recordId.padEnd(24, '0'),
  name: { saleId: of, recordId: recordId.padEnd(24, '0') },
});

describe('what is put into a cart', () => {
  it('adds up to a hundred units of a product, at the price that is known', () => {
    const cart = cartOf(item('lamp', 99));
    const merged = addItem(cart, item('lamp', 1, 200));
    expect(merged).toEqual({ status: 'merged', cart: { ...cart, items: [item('lamp', 100)] } });
    expect(addItem(cart, item('lamp', 2))).toEqual({ status: 'too_many_units', inCart: 99 });
    expect(addItem(newCart('u'), item('lamp', 101))).toEqual({
      ...{ status: 'too_many_units', inCart: 0 },
    });
  });

  it('is of at most a hundred products', () => {
    const full = cartOf(...Array.from({ length: 100 }, (_, n) => item(`p${n}`)));
    expect(addItem(full, item('one more'))).toEqual({ status: 'too_many_products' });
    expect(addItem(full, item('p7')).status).toBe('merged');
  });

  it('names one hold of a sale', () => {
    const cart = cartOf({ ...item('lamp'), holdId: hold('1').id });
    expect(addItem(cart, { ...item('desk'), hold: hold('1') }).status).toBe('added');
    expect(addItem(cart, { ...item('desk'), hold: hold('2') })).toEqual({
      ...{ status: 'other_hold', productId: 'lamp' },
    });
    expect(addItem(cart, { ...item('desk'), hold: hold('2', 'b'.repeat(24)) }).status).toBe(
      'added',
    );
    expect(addItem(cart, { ...item('lamp'), hold: hold('2') })).toMatchObject({
      ...{ status: 'merged', cart: { items: [{ quantity: 2, holdId: hold('2').id }] } },
    });
    // A hold that is named stays named.
    expect(addItem(cart, item('lamp'))).toMatchObject({
      cart: { items: [{ holdId: hold('1').id }] },
    });
  });

  it('is changed and taken out by product', () => {
    const cart = cartOf(item('lamp', 2), item('desk'));
    expect(setQuantity(cart, 'lamp', 9)?.items).toEqual([item('lamp', 9), item('desk')]);
    expect(setQuantity(cart, 'chair', 9)).toBeUndefined();
    expect(removeItem(cart, 'lamp').items).toEqual([item('desk')]);
    expect(removeItem(cart, 'chair')).toBe(cart);
    const none = emptied(cart);
    expect([none.items, emptied(none)]).toEqual([[], none]);
  });
});

describe('the plan of a checkout', () => {
  const product = (
    id: string,
    sale: string,
    price: number | null,
    archived = false,
  ): SoldProduct => ({
    ...{ id, saleId: sale, saleChangedAt: at, merchantId: sale, sku: id, name: id, archived },
    currency: 'USD',
    offer: price === null ? null : { price, stock: 1, reserved: 0, available: 1 },
  });
  const plan = (cart: Cart, ...products: SoldProduct[]) =>
    planCheckout({ key: 'k', digest: 'd', fingerprint: 'f' }, cart, {
      products: new Map(products.map((one) => [one.id, one])),
      createdAt: at,
    });

  it('has one order for each sale, each with a key of its own', () => {
    const cart = cartOf(item('lamp', 2), { ...item('vase'), holdId: 'h' }, item('desk'));
    const { sales, unsold, changes } = plan(
      ...[cart, product('lamp', 's1', 100), product('desk', 's1', 100), product('vase', 's2', 100)],
    );
    const planned = (productId: string, quantity = 1) => ({ productId, quantity, price: 100 });
    expect(sales).toMatchObject([
      { saleId: 's1', items: [planned('lamp', 2), planned('desk')] },
      { saleId: 's2', items: [planned('vase')], holdId: 'h' },
    ]);
    expect(sales[0]).not.toHaveProperty('holdId');
    expect(new Set(sales.map(({ orderDigest }) => orderDigest)).size).toBe(2);
    expect([unsold, changes]).toEqual([[], []]);
  });

  it('names what is not sold, and every price that is new', () => {
    const cart = cartOf(item('lamp'), item('gone'), item('old'), item('between'));
    const { sales, unsold, changes } = plan(
      ...[cart, product('lamp', 's1', 90), product('old', 's1', 100, true)],
      product('between', 's2', null),
    );
    expect(changes).toEqual([{ productId: 'lamp', was: 100, now: 90 }]);
    expect(unsold.map(({ productId }) => productId)).toEqual(['gone', 'old']);
    // Its price is not known in this moment: it is seen on its order.
    expect(sales.map((sale) => sale.saleId)).toEqual(['s1', 's2']);
  });
});

describe('a cart after its checkout', () => {
  const nothing: CheckoutOutcome = {
    ...{ ordered: [], spentHolds: new Set(), changes: [], isOver: true },
  };
  const sale = (id: string, productId: string, quantity: number) => ({
    ...{ saleId: id, orderDigest: id },
    items: [{ productId, quantity, price: 100 }],
  });
  const claimed = (cart: Cart, digest = 'd') => ({ ...cart, checkingOut: { digest, since: at } });

  it('has what was put in meanwhile, once', () => {
    const cart = claimed(cartOf(item('lamp', 3), item('desk', 1)));
    const outcome = { ...nothing, ordered: [sale('s1', 'lamp', 2)] };
    const after = settleCheckout(cart, { digest: 'd' }, outcome);
    expect(after.items).toEqual([item('lamp', 1), item('desk', 1)]);
    expect(after).not.toHaveProperty('checkingOut');
    expect(settleCheckout(after, { digest: 'd' }, outcome)).toBe(after);
    // A sale of it that has its order later is taken off then, another checkout's again.
    const more = { ...nothing, ordered: [...outcome.ordered, sale('s2', 'desk', 1)] };
    expect(settleCheckout(after, { digest: 'd' }, more).items).toEqual([item('lamp', 1)]);
    expect(settleCheckout(after, { digest: 'e' }, outcome).items).toEqual([item('desk', 1)]);
  });

  it('has new prices where the buyer is told of them, and no hold that is spent', () => {
    const cart = cartOf(item('lamp'), item('desk'), { ...item('vase'), holdId: 'h' });
    const changes = [
      { productId: 'lamp', was: 100, now: 90 },
      { productId: 'desk', was: 99, now: 90 },
    ];
    const after = settleCheckout(
      cart,
      { digest: 'd' },
      { ...nothing, changes, spentHolds: new Set(['h']) },
    );
    // What has another price by now was put in anew.
    expect(after.items).toEqual([item('lamp', 1, 90), item('desk'), item('vase')]);
  });

  it('is still claimed while the checkout is not over, or by another one', () => {
    const cart = claimed(cartOf(item('lamp', 3)));
    expect(settleCheckout(cart, { digest: 'd' }, { ...nothing, isOver: false })).toBe(cart);
    expect(settleCheckout(cart, { digest: 'e' }, nothing)).toBe(cart);
    expect(settleCheckout(cart, { digest: 'd' }, nothing)).not.toHaveProperty('checkingOut');
  });

  it('remembers the last ten', () => {
    let cart = cartOf(item('lamp', 100));
    for (let n = 0; n < 12; n += 1)
      cart = settleCheckout(
        cart,
        { digest: `d${n}` },
        { ...nothing, ordered: [sale('s', 'lamp', 1)] },
      );
    expect(cart.items).toEqual([item('lamp', 88)]);
    expect(cart.checkouts.map(({ digest }) => digest)).toEqual(
      Array.from({ length: 10 }, (_, n) => `d${n + 2}`),
    );
  });
});
