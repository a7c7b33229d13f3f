import { unitsByProduct, type HoldRecord } from '../stock-ledger/hold-record.ts';
import { isUnpaid } from './order-step.ts';
import type { Order } from './order.ts';

/** What a hold record is told from. */
export type RecordedOrder = Pick<
  Order,
  | 'id'
  | 'kind'
  | 'orderNumber'
  | 'userId'
  | 'saleId'
  | 'merchantId'
  | 'pricing'
  | 'status'
  | 'inventoryStatus'
  | 'paymentStatus'
  | 'items'
  | 'currency'
  | 'shippingAddress'
  | 'billingAddress'
  | 'idempotencyKey'
  | 'idempotencyDigest'
  | 'requestFingerprint'
  | 'units'
  | 'expiresAt'
  | 'createdAt'
>;

/**
 * The record of an order that is in MongoDB, for a ledger that has lost it: the way back of
 * `orderFromHold`, with the units that the order owns now. What is paid has no deadline any more.
 */
export function holdFromOrder(order: RecordedOrder, epoch: number): HoldRecord {
  const deadline = order.expiresAt?.getTime();
  const facts = {
    orderNumber: order.orderNumber,
    saleId: order.saleId,
    currency: order.currency,
    items: order.items.map(({ productId, sku, name, quantity }) => ({
      ...{ productId, sku, name, quantity },
    })),
    key: order.idempotencyKey,
    // Absent where the key names another order.
    ...(order.idempotencyDigest && { digest: order.idempotencyDigest }),
    fingerprint: order.requestFingerprint,
    ...(order.merchantId && { merchantId: order.merchantId }),
    ...(order.pricing && { pricing: order.pricing }),
    ...(order.shippingAddress && { shippingAddress: order.shippingAddress }),
    ...(order.billingAddress && { billingAddress: order.billingAddress }),
  };
  return {
    orderId: order.id,
    kind: order.kind,
    userId: order.userId,
    epoch,
    at: order.createdAt.getTime(),
    ...(deadline === undefined
      ? { expiresAt: 0 }
      : isUnpaid(order)
        ? { expiresAt: deadline }
        : { expiresAt: 0, deadline }),
    units: unitsByProduct(order.units ?? []),
    prices: Object.fromEntries(
      order.items.map(({ productId, unitPrice }) => [productId, unitPrice]),
    ),
    facts: JSON.stringify(facts),
  };
}
