import type { mongo as driver } from 'mongoose';
import type { InventoryStatus, PaymentStatus, Status } from '@quicksale/shared/contracts';
import { withDeadline, type Mongo } from '@quicksale/shared/mongo';
import type { ReadOpenOrders } from './open-orders.ts';

const openStatuses: readonly Status[] = [
  'PENDING',
  'AWAITING_PAYMENT',
  'CONFIRMED',
  'PROCESSING',
  'SHIPPED',
];
const limit = 200;

interface OrderFields {
  _id: driver.ObjectId;
  userId: string;
  orderNumber: string;
  status: Status;
  inventoryStatus: InventoryStatus;
  paymentStatus: PaymentStatus;
  version: number;
}

/** Reads the collection that order-service and the processor write. */
export const createMongoOpenOrders =
  (mongo: Mongo): ReadOpenOrders =>
  async (userId) => {
    const found = await withDeadline(
      mongo
        .db()
        .collection<OrderFields>('orders')
        .find({ userId, status: { $in: openStatuses } })
        .project<OrderFields>({
          orderNumber: 1,
          status: 1,
          inventoryStatus: 1,
          paymentStatus: 1,
          version: 1,
        })
        .sort({ _id: -1 })
        .limit(limit)
        .toArray(),
    );
    return found.map(({ _id, orderNumber, status, inventoryStatus, paymentStatus, version }) => ({
      orderId: _id.toHexString(),
      orderNumber,
      status,
      inventoryStatus,
      paymentStatus,
      version,
    }));
  };
