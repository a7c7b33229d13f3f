import type { Cart } from './cart.ts';
import type { CartStore } from './cart-store.ts';

/** The cart store in memory. */
export function createMemoryCartStore(): CartStore {
  const carts = new Map<string, Cart>();
  return {
    read: async (userId) => structuredClone(carts.get(userId)),
    save: async (cart) => {
      if ((carts.get(cart.userId)?.version ?? 0) !== cart.version - 1) return false;
      carts.set(cart.userId, structuredClone(cart));
      return true;
    },
  };
}
