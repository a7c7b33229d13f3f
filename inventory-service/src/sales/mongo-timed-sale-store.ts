import type { mongo as driver } from 'mongoose';
import { callMongo, createIndexes, insertOrFind, type Mongo } from '@quicksale/shared/mongo';
import type { SaleState, TimedSale } from './timed-sale.ts';
import type { TimedSaleStore } from './timed-sale-store.ts';

/** The id is 24 hexadecimal digits as text, as orders and events name the sale. */
type SaleDocument = Omit<TimedSale, 'id'> & { _id: string };

const collectionName = 'sales';

export function createTimedSaleIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { kind: 1, _id: 1 }, name: 'kind_1__id_1' },
    {
      key: { runAt: 1 },
      name: 'runAt_1',
      partialFilterExpression: { runAt: { $exists: true } },
    },
  ]);
}

export function createMongoTimedSaleStore(mongo: Mongo): TimedSaleStore {
  const sales = () => mongo.db().collection<SaleDocument>(collectionName);
  const find = async (id: string) => {
    const found = await callMongo(() => sales().findOne({ _id: id, kind: 'timed' }));
    return found ? fromDocument(found) : undefined;
  };

  return {
    find,

    insert: async (sale) => {
      await insertOrFind({
        insert: () => sales().insertOne(toDocument(sale)),
        findRival: () => find(sale.id).then((found) => found ?? null),
      });
    },

    save: async (sale) => {
      const next = { ...sale, revision: sale.revision + 1 };
      const { matchedCount } = await callMongo(() =>
        sales().replaceOne({ _id: sale.id, revision: sale.revision }, toDocument(next)),
      );
      return matchedCount === 1 ? next : undefined;
    },

    list: async ({ merchantId, state, before, limit }, at) => {
      const filter: driver.Filter<SaleDocument> = {
        kind: 'timed',
        ...(merchantId && { merchantId }),
        ...(before && { _id: { $lt: before } }),
        ...(state ? inState(state, at) : { stage: { $nin: ['refusing', 'refused'] } }),
      };
      const found = await callMongo(() =>
        sales().find(filter).sort({ _id: -1 }).limit(limit).toArray(),
      );
      return found.map(fromDocument);
    },

    findDue: async (at, limit) => {
      // The partial index serves only filters that repeat its condition.
      const runAt = { $exists: true, $lte: at };
      const found = await callMongo(() =>
        sales().find({ runAt }).sort({ runAt: 1 }).limit(limit).toArray(),
      );
      return found.map(fromDocument);
    },

    wake: async (id, at) => {
      await callMongo(() =>
        sales().updateOne(
          { _id: id, kind: 'timed', stage: { $in: ['finished', 'refused'] } },
          { $set: { runAt: at }, $inc: { revision: 1 } },
        ),
      );
    },
  };
}

/** The filter that says the same as `saleState`. */
function inState(state: SaleState, at: Date): driver.Filter<SaleDocument> {
  switch (state) {
    case 'scheduled':
      return { stage: 'ready', opensAt: { $gt: at }, closesAt: { $gt: at } };
    case 'open':
      return { stage: 'ready', opensAt: { $lte: at }, closesAt: { $gt: at } };
    case 'paused':
      return { stage: 'paused', closesAt: { $gt: at } };
    case 'closed':
      return {
        $or: [
          { stage: 'closing' },
          { stage: { $in: ['ready', 'paused'] }, closesAt: { $lte: at } },
        ],
      };
    case 'preparing':
    case 'finished':
      return { stage: state };
    default:
      return state satisfies never;
  }
}

function toDocument({ id, ...rest }: TimedSale): SaleDocument {
  return { _id: id, ...rest };
}

function fromDocument({ _id, ...rest }: SaleDocument): TimedSale {
  return { id: _id, ...rest };
}
