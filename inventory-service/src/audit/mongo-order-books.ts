import { mongo as driver } from 'mongoose';
import { callMongo, type Mongo } from '@quicksale/shared/mongo';
import type { MovementStore } from '../stock/movement.ts';
import type { BookedOrder, OrderBooks } from './order-books.ts';

type OrderDocument = Omit<BookedOrder, 'id'> & { _id: driver.ObjectId; saleId: string };

const pageSize = 1_000;
const projection = {
  kind: 1,
  userId: 1,
  inventoryStatus: 1,
  units: 1,
  releasing: 1,
  shipping: 1,
  updatedAt: 1,
} as const;

/** Reads the orders collection, which order-service and kafka-processor write. */
export function createMongoOrderBooks(
  mongo: Mongo,
  movements: Pick<MovementStore, 'listCommitments'>,
): OrderBooks {
  const orders = () => mongo.db().collection<OrderDocument>('orders');
  const find = async (filter: driver.Filter<OrderDocument>) =>
    (await callMongo(() => orders().find(filter, { projection }).toArray())).map(fromDocument);

  return {
    listOrders: async (saleId, after) => {
      const filter = { saleId, ...(after && { _id: { $gt: new driver.ObjectId(after) } }) };
      const page = await callMongo(() =>
        orders().find(filter, { projection }).sort({ _id: 1 }).limit(pageSize).toArray(),
      );
      return page.map(fromDocument);
    },
    findOrders: async (orderIds) =>
      orderIds.length === 0
        ? []
        : find({ _id: { $in: orderIds.map((id) => new driver.ObjectId(id)) } }),
    findOwners: async (units) => (units.length === 0 ? [] : find({ units: { $in: [...units] } })),
    lastUnits: async (saleId) =>
      new Map(
        (await movements.listCommitments(saleId)).map(({ productId, lastUnit }) => [
          productId,
          lastUnit,
        ]),
      ),
  };
}

const fromDocument = ({ _id, ...rest }: OrderDocument): BookedOrder => ({
  id: _id.toHexString(),
  ...rest,
});
