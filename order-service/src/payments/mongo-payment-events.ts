import {
  createIndexes,
  isDuplicateOrLostRace,
  withDeadline,
  type Mongo,
} from '@quicksale/shared/mongo';
import { guarded } from './mongo-versioned-documents.ts';
import type { PaymentEvents } from './payment-store.ts';

interface EventDocument {
  /** `<provider>:<event id>`. */
  _id: string;
  receivedAt: Date;
  appliedAt?: Date;
}

const collectionName = 'payment-events';
/** Longer than any provider repeats an event. */
const keptSeconds = 90 * 24 * 3_600;

export function createPaymentEventIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { receivedAt: 1 }, name: 'receivedAt_1', expireAfterSeconds: keptSeconds },
  ]);
}

/** Events of providers in MongoDB; `_id` keeps each of them once. */
export function createMongoPaymentEvents(mongo: Mongo): PaymentEvents {
  const events = () => mongo.db().collection<EventDocument>(collectionName);
  return {
    receive: async (id, receivedAt) => {
      try {
        await withDeadline(events().insertOne({ _id: id, receivedAt }));
        return true;
      } catch (error) {
        if (!isDuplicateOrLostRace(error)) throw error;
      }
      return !(await guarded(events().findOne({ _id: id })))?.appliedAt;
    },
    markApplied: async (id, appliedAt) => {
      await guarded(events().updateOne({ _id: id }, { $set: { appliedAt } }));
    },
  };
}
