import type { mongo as driver } from 'mongoose';
import { translateMongoError, type Mongo } from '@quicksale/shared/mongo';
import type { Order } from '@quicksale/shared/orders';
import type { SaleOrder, SaleOrders } from './sale-orders.ts';

type OrderDocument = Omit<SaleOrder, 'id' | 'confirmsHold'> &
  Pick<Order, 'history'> & { _id: driver.ObjectId };

const projection = {
  ...{ kind: 1, orderNumber: 1, userId: 1, saleId: 1, merchantId: 1, items: 1, currency: 1 },
  ...{ status: 1, inventoryStatus: 1, paymentStatus: 1, units: 1, expiresAt: 1, createdAt: 1 },
  ...{ shippingAddress: 1, billingAddress: 1, pricing: 1 },
  ...{ idempotencyKey: 1, idempotencyDigest: 1, requestFingerprint: 1, 'history.reason': 1 },
} as const;
const pieceSize = 1_000;
/** For one piece, not for all of them. */
const pieceLimitMs = 20_000;

/** Reads the orders collection, which order-service and kafka-processor write. */
export function createMongoSaleOrders(mongo: Mongo): SaleOrders {
  return {
    async *ofSale(saleId) {
      // In the order of what never changes: without it an order that is written to meanwhile may
      // move past the cursor and be missed, or come twice.
      const cursor = mongo
        .db()
        .collection<OrderDocument>('orders')
        .find(
          { saleId },
          { projection, batchSize: pieceSize, timeoutMS: pieceLimitMs, timeoutMode: 'iteration' },
        )
        .sort({ _id: 1 });
      try {
        while (await cursor.hasNext()) {
          const piece = cursor.readBufferedDocuments();
          yield piece.map(fromDocument);
        }
      } catch (error) {
        throw translateMongoError(error);
      } finally {
        await cursor.close().catch(() => undefined);
      }
    },
  };
}

function fromDocument({ _id, history, ...rest }: OrderDocument): SaleOrder {
  const confirmsHold = rest.kind === 'house' && history[0]?.reason === 'confirmed-hold';
  return { id: _id.toHexString(), confirmsHold, ...rest };
}
