import { mongo as driver } from 'mongoose';
import { unavailable } from '@quicksale/shared/errors';
import { callMongo, createIndexes, type Mongo, tryInsert } from '@quicksale/shared/mongo';
import type { Discount, DiscountStore } from './discount.ts';

/** `drawn`: numbers of uses that were drawn so far, see discount-uses.ts. */
type DiscountDocument = Omit<Discount, 'id'> & { _id: driver.ObjectId; drawn: number };

const collectionName = 'discounts';

export function createDiscountIndexes(mongo: Pick<Mongo, 'db'>): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { merchantId: 1, code: 1 }, name: 'merchantId_1_code_1', unique: true },
    { key: { merchantId: 1, _id: 1 }, name: 'merchantId_1__id_1' },
  ]);
}

export function createMongoDiscountStore(mongo: Pick<Mongo, 'db'>): DiscountStore {
  const discounts = () => mongo.db().collection<DiscountDocument>(collectionName);

  async function findByCode(merchantId: string, code: string): Promise<Discount | undefined> {
    const found = await callMongo(() => discounts().findOne({ merchantId, code }));
    return found ? fromDocument(found) : undefined;
  }

  return {
    insert: async ({ id, ...rest }) => {
      const document = { _id: new driver.ObjectId(id), ...rest, drawn: 0 };
      for (let attempt = 1; attempt <= 5; attempt += 1) {
        if (await tryInsert(() => discounts().insertOne(document))) return undefined;
        const rival = await findByCode(rest.merchantId, rest.code);
        if (rival) return rival.id === id ? undefined : { takenBy: rival.id };
      }
      throw unavailable('The database is busy');
    },
    find: async (id) => {
      const found = await callMongo(() => discounts().findOne({ _id: new driver.ObjectId(id) }));
      return found ? fromDocument(found) : undefined;
    },
    findByCode,
    list: async (merchantId, { before, limit }) => {
      const found = await callMongo(() =>
        discounts()
          .find({ merchantId, ...(before && { _id: { $lt: new driver.ObjectId(before) } }) })
          .sort({ _id: -1 })
          .limit(limit)
          .hint('merchantId_1__id_1')
          .toArray(),
      );
      return found.map(fromDocument);
    },
    change: async ({ id, version }, { endsAt, ...change }) => {
      const changed = await callMongo(() =>
        discounts().findOneAndUpdate(
          { _id: new driver.ObjectId(id), version },
          {
            $set: { ...change, ...(endsAt && { endsAt }), version: version + 1 },
            ...(endsAt === null && { $unset: { endsAt: '' as const } }),
          },
          { returnDocument: driver.ReturnDocument.AFTER },
        ),
      );
      return changed ? fromDocument(changed) : undefined;
    },
  };
}

function fromDocument({ _id, drawn: _, ...rest }: DiscountDocument): Discount {
  return { id: _id.toHexString(), ...rest };
}
