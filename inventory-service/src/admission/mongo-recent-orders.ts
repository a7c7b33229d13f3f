import { mongo as driver } from 'mongoose';
import { callMongo, type Mongo, translateMongoError } from '@quicksale/shared/mongo';
import { ownsUnits, type RecentOrder, type RecentOrders } from './recent-orders.ts';

type OrderDocument = Omit<RecentOrder, 'id'> & { _id: driver.ObjectId };

const projection = {
  saleId: 1,
  createdAt: 1,
  idempotencyDigest: 1,
  requestFingerprint: 1,
  inventoryStatus: 1,
  units: 1,
} as const;
const pieceSize = 2_000;
/** For one piece, not for all of them. */
const pieceLimitMs = 10_000;

/** Reads the orders collection, which order-service and kafka-processor write. */
export function createMongoRecentOrders(mongo: Mongo): RecentOrders {
  const orders = () => mongo.db().collection<OrderDocument>('orders');

  return {
    async *since(from) {
      // Ids are made in time order, right before the hold.
      const _id = { $gte: driver.ObjectId.createFromTime(Math.floor(from.getTime() / 1000)) };
      const cursor = orders().find(
        { _id },
        {
          projection,
          batchSize: pieceSize,
          timeoutMS: pieceLimitMs,
          timeoutMode: 'iteration',
        },
      );
      try {
        let piece: RecentOrder[] = [];
        for await (const document of cursor) {
          piece.push(fromDocument(document));
          if (piece.length < pieceSize) continue;
          yield piece;
          piece = [];
        }
        if (piece.length > 0) yield piece;
      } catch (error) {
        throw translateMongoError(error);
      } finally {
        await cursor.close().catch(() => undefined);
      }
    },

    stillOwning: async (given) => {
      if (given.length === 0) return [];
      const ids = given.map(({ id }) => new driver.ObjectId(id));
      const filter = { _id: { $in: ids } };
      const found = await callMongo(() => orders().find(filter, { projection }).toArray());
      return found.map(fromDocument).filter(ownsUnits);
    },
  };
}

function fromDocument({ _id, ...rest }: OrderDocument): RecentOrder {
  return { id: _id.toHexString(), ...rest };
}
