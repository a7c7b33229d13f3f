import { unavailable } from '@quicksale/shared/errors';
import {
  createIndexes,
  isDuplicateOrLostRace,
  withDeadline,
  type Mongo,
} from '@quicksale/shared/mongo';
import type { CheckoutPlan, CheckoutPlans } from './checkout-plan.ts';

type PlanDocument = Omit<CheckoutPlan, 'digest'> & { _id: string; expiresAt: Date };

const collectionName = 'checkouts';
/** An hour longer than a key is promised to be good for. */
const keptMs = 25 * 3_600_000;

/** Creates the index by which plans go when their keys have ended. */
export function createCheckoutIndexes(mongo: Pick<Mongo, 'db'>): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { expiresAt: 1 }, name: 'expiresAt_1', expireAfterSeconds: 0 },
  ]);
}

/** Checkout plans on MongoDB; `_id` decides whose plan stands. */
export function createMongoCheckoutPlans(mongo: Pick<Mongo, 'db' | 'isReachable'>): CheckoutPlans {
  const plans = () => mongo.db().collection<PlanDocument>(collectionName);

  async function guarded<T>(operation: () => Promise<T>): Promise<T> {
    if (!mongo.isReachable()) throw unavailable('The database is not reachable');
    return withDeadline(operation());
  }

  async function find(digest: string): Promise<CheckoutPlan | undefined> {
    const found = await guarded(() => plans().findOne({ _id: digest }));
    if (!found) return undefined;
    const { _id, expiresAt: _until, ...plan } = found;
    return { ...plan, digest: _id };
  }

  return {
    find,
    keep: async (plan) => {
      const { digest: _id, ...fields } = plan;
      const expiresAt = new Date(plan.createdAt.getTime() + keptMs);
      try {
        await guarded(() => plans().insertOne({ _id, ...fields, expiresAt }));
        return plan;
      } catch (error) {
        if (!isDuplicateOrLostRace(error)) throw error;
        const kept = await find(_id);
        // A race that both have lost: whoever asked asks again.
        if (!kept) throw unavailable('The database is busy', error);
        return kept;
      }
    },
    abandon: async (digest) => {
      await guarded(() => plans().updateOne({ _id: digest }, { $set: { abandoned: true } }));
    },
  };
}
