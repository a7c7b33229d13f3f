import mongoose from 'mongoose';
import { callMongo, insertOrFind, type Mongo } from '@quicksale/shared/mongo';
import type { Confirmation, ConfirmationStore } from './confirmation.ts';

type ConfirmationDocument = Omit<Confirmation, 'holdId'> & { _id: string };

const required = true;

const schema = new mongoose.Schema<ConfirmationDocument>(
  {
    _id: { type: String, required },
    saleId: { type: String, required },
    userId: { type: String, required },
    items: {
      type: [
        new mongoose.Schema(
          { productId: { type: String, required }, quantity: { type: Number, required } },
          { _id: false, strict: 'throw' },
        ),
      ],
      required,
    },
    by: { type: String, required },
    at: { type: Date, required },
  },
  { strict: 'throw', versionKey: false, collection: 'hold-confirmations' },
);

export function createMongoConfirmationStore(mongo: Mongo): ConfirmationStore {
  const confirmations = mongo.connection.model('HoldConfirmation', schema);
  const read = (holdId: string) => confirmations.findById(holdId).lean();

  return {
    find: async (holdId) => {
      const found = await callMongo(() => read(holdId));
      return found ? fromDocument(found) : undefined;
    },
    insert: async ({ holdId, ...rest }) => {
      const rival = await insertOrFind({
        insert: () => confirmations.create({ _id: holdId, ...rest }),
        findRival: () => read(holdId),
      });
      return rival ? fromDocument(rival) : { holdId, ...rest };
    },
  };
}

const fromDocument = ({ _id, ...rest }: ConfirmationDocument): Confirmation => ({
  holdId: _id,
  ...rest,
});
