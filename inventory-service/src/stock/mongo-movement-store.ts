import mongoose from 'mongoose';
import { AppError } from '@quicksale/shared/errors';
import { createIndexes, type Mongo } from '@quicksale/shared/mongo';
import { insertOrFind } from '../mongo-calls.ts';
import type { Movement, MovementStore } from './movement.ts';

type MovementDocument = Omit<Movement, 'id'> & { _id: string };

const collectionName = 'stock-movements';
const required = true;

const schema = new mongoose.Schema<MovementDocument>(
  {
    _id: { type: String, required },
    saleId: { type: String, required },
    productId: { type: String, required },
    firstUnit: { type: Number, required },
    lastUnit: { type: Number, required },
    reason: {
      type: String,
      required,
      enum: ['initial', 'restock', 'found', 'returned', 'allotment-in'],
    },
    by: { type: String, required },
    at: { type: Date, required },
  },
  { strict: 'throw', versionKey: false, collection: collectionName },
);

/** The unique index keeps a number from being issued by two movements. */
export function createMovementIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    {
      key: { saleId: 1, productId: 1, firstUnit: 1 },
      name: 'saleId_1_productId_1_firstUnit_1',
      unique: true,
    },
  ]);
}

export function createMongoMovementStore(mongo: Mongo): MovementStore {
  const movements = mongo.connection.model('Movement', schema);

  return {
    insert: async ({ id, ...rest }) => {
      const { saleId, productId, firstUnit } = rest;
      const rival = await insertOrFind({
        insert: () => movements.create({ _id: id, ...rest }),
        findRival: () => movements.findOne({ saleId, productId, firstUnit }).lean(),
      });
      if (rival && rival._id !== id)
        throw new AppError('internal', {
          cause: new Error(`Movements ${id} and ${rival._id} both begin at unit ${firstUnit}`),
        });
    },
  };
}
