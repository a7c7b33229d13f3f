import { createIndexes, type Mongo } from '@quicksale/shared/mongo';
import {
  createMongoVersionedDocuments,
  fromStored,
  guarded,
  type Stored,
} from './mongo-versioned-documents.ts';
import type { PaymentStore } from './payment-store.ts';
import type { Payment } from './payment.ts';

const collectionName = 'payments';

export function createPaymentIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { userId: 1, _id: 1 }, name: 'userId_1__id_1' },
    { key: { 'intents.id': 1 }, name: 'intents.id_1' },
    {
      key: { checkAt: 1 },
      name: 'checkAt_1',
      partialFilterExpression: { checkAt: { $exists: true } },
    },
  ]);
}

/** Payments in MongoDB, one for each order under the order's id. */
export function createMongoPaymentStore(mongo: Mongo): PaymentStore {
  const payments = () => mongo.db().collection<Stored<Payment>>(collectionName);
  return {
    ...createMongoVersionedDocuments<Payment>(mongo, collectionName),

    findByIntent: async (intentId) => {
      const found = await guarded(payments().findOne({ 'intents.id': intentId }));
      return found ? fromStored<Payment>(found) : undefined;
    },

    listOwn: async (userId, { limit, before }) => {
      const found = await guarded(
        payments()
          .find({ userId, ...(before && { _id: { $lt: before } }) })
          .sort({ _id: -1 })
          .limit(limit + 1)
          .toArray(),
      );
      const page = found.slice(0, limit).map((one) => fromStored<Payment>(one));
      return { payments: page, next: found.length > limit ? page.at(-1)?.id : undefined };
    },

    findDue: async (provider, now, limit) => {
      // The partial index serves only filters that repeat its condition.
      const filter = { provider, checkAt: { $exists: true, $lte: now } };
      const found = await guarded(payments().find(filter).limit(limit).toArray());
      return found.map((one) => fromStored<Payment>(one));
    },
  };
}
