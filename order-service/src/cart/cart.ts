import type { HoldName } from '@quicksale/shared/stock-ledger';

export interface CartItem {
  productId: string;
  quantity: number;
  /** Minor units: the price that the buyer was last told of. It is what a checkout pays, or nothing. */
  price: number;
  /** A bare hold whose units the order is to take; the id that clients see. */
  holdId?: string;
  addedAt: Date;
}

/** Sales of one checkout whose order has been taken off the cart. */
export interface SettledCheckout {
  digest: string;
  saleIds: readonly string[];
}

/** A buyer's cart; it is never deleted, only emptied, as it remembers what has been taken off it. */
export interface Cart {
  userId: string;
  items: readonly CartItem[];
  version: number;
  updatedAt: Date;
  /** The last checkouts, newest last: what each has ordered is taken off once. */
  checkouts: readonly SettledCheckout[];
  /** The checkout that is at work on the cart, or whose process died over it. */
  checkingOut?: { digest: string; since: Date };
}

export const mostProducts = 100;
export const mostUnits = 100;

/** The cart of somebody who has none yet. */
export const newCart = (userId: string): Cart => ({
  userId,
  items: [],
  version: 0,
  updatedAt: new Date(0),
  checkouts: [],
});

/** What is to be put into a cart. */
export type NewItem = Omit<CartItem, 'holdId'> & { hold?: { id: string; name: HoldName } };

export type AddedItem =
  | { status: 'added'; cart: Cart }
  | { status: 'merged'; cart: Cart }
  | { status: 'too_many_products' }
  | { status: 'too_many_units'; inCart: number }
  /** Another item of this sale names another hold, and an order can take one. */
  | { status: 'other_hold'; productId: string };

/**
 * Puts units into the cart. Those of a product that is in it add up; its price stays the one that
 * the buyer knows, so that a checkout tells of the difference.
 */
export function addItem(cart: Cart, { hold, ...item }: NewItem): AddedItem {
  const { productId, quantity } = item;
  const other = hold && cart.items.find((one) => namesOtherHold(one, productId, hold));
  if (other) return { status: 'other_hold', productId: other.productId };
  const inCart = cart.items.find((one) => one.productId === productId);
  const units = (inCart?.quantity ?? 0) + quantity;
  if (units > mostUnits) return { status: 'too_many_units', inCart: inCart?.quantity ?? 0 };
  const named = hold && { holdId: hold.id };
  if (inCart) {
    const merged = { ...inCart, quantity: units, ...named };
    const items = cart.items.map((one) => (one === inCart ? merged : one));
    return { status: 'merged', cart: { ...cart, items } };
  }
  if (cart.items.length >= mostProducts) return { status: 'too_many_products' };
  return { status: 'added', cart: { ...cart, items: [...cart.items, { ...item, ...named }] } };
}

const namesOtherHold = (
  { productId, holdId }: CartItem,
  newProductId: string,
  hold: { id: string; name: HoldName },
) =>
  productId !== newProductId &&
  holdId !== undefined &&
  holdId !== hold.id &&
  holdId.startsWith(hold.name.saleId);

/** The cart with so many units of a product that is in it; undefined when it is not. */
export function setQuantity(cart: Cart, productId: string, quantity: number): Cart | undefined {
  if (!cart.items.some((item) => item.productId === productId)) return undefined;
  const items = cart.items.map((item) =>
    item.productId === productId ? { ...item, quantity } : item,
  );
  return { ...cart, items };
}

/** The cart without a product; itself when that is not in it. */
export function removeItem(cart: Cart, productId: string): Cart {
  const items = cart.items.filter((item) => item.productId !== productId);
  return items.length < cart.items.length ? { ...cart, items } : cart;
}

export const emptied = (cart: Cart): Cart =>
  cart.items.length > 0 ? { ...cart, items: [] } : cart;
