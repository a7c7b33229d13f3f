import { AppError } from '@quicksale/shared/errors';
import {
  createIndexes,
  isDuplicateOrLostRace,
  withDeadline,
  type Mongo,
} from '@quicksale/shared/mongo';
import { fromStored, guarded, type Stored } from './mongo-versioned-documents.ts';
import type { MethodStore, StoredMethod } from './payment-store.ts';

const collectionName = 'payment-methods';
/** Stored with one user: whoever stores more is trying out cards. */
const mostMethods = 20;

export function createPaymentMethodIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { userId: 1, token: 1 }, name: 'userId_1_token_1', unique: true },
    // A place of its own for each: the limit holds for requests at the same time, too.
    { key: { userId: 1, place: 1 }, name: 'userId_1_place_1', unique: true },
  ]);
}

/** Stored methods in MongoDB: the provider's token, and of the card only what may be shown. */
export function createMongoPaymentMethods(mongo: Mongo): MethodStore {
  const methods = () =>
    mongo.db().collection<Stored<StoredMethod> & { place: number }>(collectionName);
  const ofUser = async (userId: string) =>
    guarded(methods().find({ userId }).sort({ _id: 1 }).toArray());
  const view = ({ place: _, ...rest }: Stored<StoredMethod> & { place: number }) =>
    fromStored<StoredMethod>(rest);

  return {
    add: async ({ id, ...method }) => {
      for (let round = 0; round <= mostMethods; round += 1) {
        const there = await ofUser(method.userId);
        const known = there.find(({ token }) => token === method.token);
        if (known) return view(known);
        const taken = new Set(there.map(({ place }) => place));
        const place = Array.from({ length: mostMethods }, (_, n) => n).find((n) => !taken.has(n));
        if (place === undefined)
          throw new AppError('validation-failed', {
            message: `At most ${mostMethods} methods are kept: remove one first`,
          });
        try {
          await withDeadline(methods().insertOne({ _id: id, ...method, place }));
          return { id, ...method };
        } catch (error) {
          if (!isDuplicateOrLostRace(error)) throw error;
        }
      }
      throw new AppError('overloaded');
    },
    listOwn: async (userId) => (await ofUser(userId)).map(view),
    findOwn: async (userId, id) => {
      const found = await guarded(methods().findOne({ _id: id, userId }));
      return found ? view(found) : undefined;
    },
    remove: async (userId, id) => {
      await guarded(methods().deleteOne({ _id: id, userId }));
    },
  };
}
