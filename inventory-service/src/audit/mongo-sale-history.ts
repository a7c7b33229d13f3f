import { mongo as driver } from 'mongoose';
import { callMongo, type Mongo } from '@quicksale/shared/mongo';
import type { Movement } from '../stock/movement.ts';
import type { SaleHistory, TracedOrder } from './sale-history.ts';

type OrderDocument = Omit<TracedOrder, 'id'> & { _id: driver.ObjectId; saleId: string };
type MovementDocument = Omit<Movement, 'id'> & { _id: string };
interface RefusalDocument {
  _id: string;
  counts: Record<string, number>;
}

const pageSize = 500;
const orderFields = {
  kind: 1,
  orderNumber: 1,
  userId: 1,
  status: 1,
  inventoryStatus: 1,
  units: 1,
  createdAt: 1,
  updatedAt: 1,
  history: 1,
} as const;

/** Reads collections of order-service beside its own: orders, and the refusals that it counts. */
export function createMongoSaleHistory(mongo: Mongo): SaleHistory {
  return {
    hasStanding: async (merchantId) => {
      const sales = mongo.db().collection<{ _id: string; kind: string }>('sales');
      const filter = { _id: merchantId, kind: 'standing' };
      return (await callMongo(() => sales.findOne(filter, { projection: { _id: 1 } }))) !== null;
    },

    listOrders: async (saleId, after) => {
      const filter = { saleId, ...(after && { _id: { $gt: new driver.ObjectId(after) } }) };
      const orders = mongo.db().collection<OrderDocument>('orders');
      const page = await callMongo(() =>
        orders.find(filter, { projection: orderFields }).sort({ _id: 1 }).limit(pageSize).toArray(),
      );
      return page.map(({ _id, ...rest }) => ({ ...rest, id: _id.toHexString() }));
    },

    listMovements: async (saleId, after) => {
      const movements = mongo.db().collection<MovementDocument>('stock-movements');
      const behind = after && {
        $or: [
          { productId: { $gt: after.productId } },
          { productId: after.productId, firstUnit: { $gt: after.firstUnit } },
        ],
      };
      const page = await callMongo(() =>
        movements
          .find({ saleId, ...behind })
          .sort({ productId: 1, firstUnit: 1 })
          .limit(pageSize)
          .toArray(),
      );
      return page.map(({ _id, ...rest }) => ({ ...rest, id: _id }));
    },

    countRefusals: async (saleId) => {
      const refusals = mongo.db().collection<RefusalDocument>('sale-refusals');
      return (await callMongo(() => refusals.findOne({ _id: saleId })))?.counts ?? {};
    },
  };
}
