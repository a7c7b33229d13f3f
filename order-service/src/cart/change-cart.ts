import { AppError } from '@quicksale/shared/errors';
import type { Clock } from '@quicksale/shared/process';
import { newCart, type Cart } from './cart.ts';
import type { CartStore } from './cart-store.ts';

export interface ChangeCartDeps {
  carts: CartStore;
  clock: Clock;
}

/** Each round that misses is one in which somebody else got through. */
const mostRounds = 25;

/**
 * Changes a buyer's cart by compare-and-set: `decide` looks at the cart of each round and answers
 * with the next one, with the same one when nothing is to change, or with none. Resolves to that
 * answer, its cart as it is stored. Throws AppError `overloaded` when the cart keeps changing.
 */
export async function changeCart<T extends { status: string; cart?: Cart }>(
  { carts, clock }: ChangeCartDeps,
  userId: string,
  decide: (cart: Cart) => T,
): Promise<T> {
  for (let round = 0; round < mostRounds; round += 1) {
    const found = (await carts.read(userId)) ?? newCart(userId);
    const decided = decide(found);
    if (!decided.cart || decided.cart === found) return decided;
    const updatedAt = new Date(clock.now());
    const cart = { ...decided.cart, version: found.version + 1, updatedAt };
    if (await carts.save(cart)) return { ...decided, cart };
  }
  throw new AppError('overloaded', { message: 'The cart keeps changing: try again' });
}
