import type { Cart } from './cart.ts';

/**
 * Carts by their owners. Everything throws AppError `dependency-unavailable` when the store is away:
 * the outcome of a write is then unknown.
 */
export interface CartStore {
  /** Undefined when this buyer never had one. */
  read(userId: string): Promise<Cart | undefined>;
  /** Compare-and-set: false unless the stored cart has the version before this one. */
  save(cart: Cart): Promise<boolean>;
}
