import { unavailable } from '@quicksale/shared/errors';
import { isDuplicateOrLostRace, withDeadline, type Mongo } from '@quicksale/shared/mongo';
import type { Cart } from './cart.ts';
import type { CartStore } from './cart-store.ts';

type CartDocument = Omit<Cart, 'userId'> & { _id: string };

/** The cart store on MongoDB; a cart is one document, which its version guards. */
export function createMongoCartStore(mongo: Pick<Mongo, 'db' | 'isReachable'>): CartStore {
  const carts = () => mongo.db().collection<CartDocument>('carts');

  async function guarded<T>(operation: () => Promise<T>): Promise<T> {
    if (!mongo.isReachable()) throw unavailable('The database is not reachable');
    return withDeadline(operation());
  }

  async function write(cart: Cart): Promise<boolean> {
    const { userId: _id, ...fields } = cart;
    // An upsert that races may make two of one in DocumentDB; an insert cannot.
    if (cart.version === 1) return (await carts().insertOne({ _id, ...fields })).acknowledged;
    const before = { _id, version: cart.version - 1 };
    return (await carts().replaceOne(before, fields)).matchedCount === 1;
  }

  return {
    read: async (userId) => {
      const found = await guarded(() => carts().findOne({ _id: userId }));
      if (!found) return undefined;
      const { _id, ...fields } = found;
      return { userId: _id, ...fields };
    },
    save: async (cart) => {
      try {
        return await guarded(() => write(cart));
      } catch (error) {
        if (isDuplicateOrLostRace(error)) return false;
        throw error;
      }
    },
  };
}
