import mongoose from 'mongoose';
import { AppError, unavailable } from '@quicksale/shared/errors';
import {
  callMongo,
  createIndexes,
  insertOrFind,
  isDuplicateOrLostRace,
  type Mongo,
  translateMongoError,
} from '@quicksale/shared/mongo';
import {
  movementReasons,
  type Commitment,
  type Movement,
  type MovementPlace,
  type MovementStore,
} from './movement.ts';

type MovementDocument = Omit<Movement, 'id'> & { _id: string };

const collectionName = 'stock-movements';
const required = true;
/** Of callers that draw the same number one wins, so so many may restock a product at once. */
const appendTries = 50;

const schema = new mongoose.Schema<MovementDocument>(
  {
    _id: { type: String, required },
    saleId: { type: String, required },
    productId: { type: String, required },
    firstUnit: { type: Number, required },
    lastUnit: { type: Number, required },
    reason: { type: String, required, enum: movementReasons },
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
    { key: { productId: 1, at: 1 }, name: 'productId_1_at_1' },
    { key: { at: 1 }, name: 'at_1' },
  ]);
}

export function createMongoMovementStore(mongo: Mongo): MovementStore {
  const movements = mongo.connection.model('Movement', schema);

  const findById = async (id: string) => {
    const found = await callMongo(() => movements.findById(id).lean());
    return found ? fromDocument(found) : undefined;
  };

  /** The database sorts what matches: the movements of one product in one sale, a short list. */
  const readLastUnit = async (saleId: string, productId: string) => {
    const highest = await callMongo(() =>
      movements.findOne({ saleId, productId }, { lastUnit: 1 }).sort({ firstUnit: -1 }).lean(),
    );
    return highest?.lastUnit ?? 0;
  };

  return {
    findById,
    lastUnit: readLastUnit,

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

    append: async ({ units, ...arrival }) => {
      for (let attempt = 1; attempt <= appendTries; attempt += 1) {
        const lastUnit = await readLastUnit(arrival.saleId, arrival.productId);
        const movement = { ...arrival, firstUnit: lastUnit + 1, lastUnit: lastUnit + units };
        try {
          await movements.create(toDocument(movement));
          return movement;
        } catch (error) {
          if (!isDuplicateOrLostRace(error)) throw translateMongoError(error);
        }
        // Either a twin of this operation was faster or somebody else took the numbers.
        const twin = await findById(arrival.id);
        if (twin) return twin;
      }
      throw unavailable('Too many restocks of this product at once');
    },

    listOfProduct: async (productId, { after, limit }) => {
      const found = await callMongo(() =>
        movements
          .find({ productId, ...(after && { $or: behind(after) }) })
          .sort({ at: -1, _id: -1 })
          .limit(limit)
          .lean(),
      );
      return found.map(fromDocument);
    },

    listCommitments: async (saleId) => {
      const found = await callMongo(() =>
        movements.aggregate<{ _id: string; lastUnit: number }>([
          { $match: { saleId } },
          { $group: { _id: '$productId', lastUnit: { $max: '$lastUnit' } } },
        ]),
      );
      return found.map(({ _id, lastUnit }) => ({ saleId, productId: _id, lastUnit }));
    },

    listCommitmentsSince: async (at) => {
      const found = await callMongo(() =>
        movements
          .find({ at: mongoose.trusted({ $gte: at }) }, { saleId: 1, productId: 1, lastUnit: 1 })
          .lean<(Commitment & { _id: string })[]>(),
      );
      return found.map(({ saleId, productId, lastUnit }) => ({ saleId, productId, lastUnit }));
    },
  };
}

const behind = ({ at, id }: MovementPlace) => [
  { at: mongoose.trusted({ $lt: at }) },
  { at, _id: mongoose.trusted({ $lt: id }) },
];

function toDocument({ id, ...rest }: Movement): MovementDocument {
  return { _id: id, ...rest };
}

function fromDocument({ _id, ...rest }: MovementDocument): Movement {
  return { id: _id, ...rest };
}
