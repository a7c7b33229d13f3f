import { createIndexes, type Mongo } from '@quicksale/shared/mongo';
import {
  createMongoVersionedDocuments,
  fromStored,
  guarded,
  type Stored,
} from '../mongo-versioned-documents.ts';
import type { SimulatedPayment } from './simulated-payment.ts';
import type { SimulatorDeps } from './simulator.ts';

const collectionName = 'simulated-payments';

export function createSimulatedPaymentIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { key: 1 }, name: 'key_1', unique: true },
  ]);
}

/** What the simulator knows, in MongoDB. */
export function createMongoSimulatedPayments(mongo: Mongo): SimulatorDeps['store'] {
  return {
    ...createMongoVersionedDocuments<SimulatedPayment>(mongo, collectionName),
    findByKey: async (key) => {
      const payments = mongo.db().collection<Stored<SimulatedPayment>>(collectionName);
      const found = await guarded(payments.findOne({ key }));
      return found ? fromStored<SimulatedPayment>(found) : undefined;
    },
  };
}
