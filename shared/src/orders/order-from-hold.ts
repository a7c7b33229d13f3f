import { unitNames, type HoldRecord } from '../stock-ledger/hold-record.ts';
import type { Order, OrderFacts, OrderState } from './order.ts';
import { priceOrder } from './pricing.ts';

/** First look of the outbox scan after a step: the relay has published long before. */
const firstScanMs = 5_000;
export const firstScanAfter = (at: Date): Date => new Date(at.getTime() + firstScanMs);

/** The order that a hold record stands for. The same record gives the same order, for ever. */
export function orderFromHold(record: HoldRecord, saleId: string): Order {
  if (record.kind === 'bare') throw new Error(`hold ${record.orderId} is for no order`);
  const facts = JSON.parse(record.facts) as OrderFacts;
  const items = facts.items.map((item) => ({
    productId: item.productId,
    sku: item.sku,
    name: item.name,
    // What the house takes is not sold to anybody.
    unitPrice: record.kind === 'house' ? 0 : priceOf(record, item.productId),
    quantity: item.quantity,
  }));
  const createdAt = new Date(record.at);
  // A settled hold has no deadline any more; the order was made with one.
  const deadline = record.deadline ?? record.expiresAt;
  return {
    id: record.orderId,
    kind: record.kind,
    orderNumber: facts.orderNumber,
    userId: record.userId,
    saleId,
    ...(facts.merchantId && { merchantId: facts.merchantId }),
    items,
    ...(facts.pricing && { pricing: facts.pricing }),
    ...priceOrder(items, facts.pricing),
    currency: facts.currency,
    ...(facts.shippingAddress && { shippingAddress: facts.shippingAddress }),
    ...(facts.billingAddress && { billingAddress: facts.billingAddress }),
    ...(record.kind === 'house'
      ? asDelivered(record, saleId, facts, createdAt)
      : asPending(record, deadline, createdAt)),
    version: 1,
    idempotencyKey: facts.key,
    idempotencyDigest: facts.digest,
    requestFingerprint: facts.fingerprint,
    units: unitNames(saleId, record.units),
    expiresAt: deadline > 0 ? new Date(deadline) : null,
    outboxAt: firstScanAfter(createdAt),
    createdAt,
    updatedAt: createdAt,
  };
}

type Beginning = OrderState & Pick<Order, 'history' | 'outbox' | 'shipping' | 'to'>;

/** A buyer's order begins as a question: its event asks whether the hold is there. */
const asPending = (record: HoldRecord, deadline: number, at: Date): Beginning => ({
  status: 'PENDING',
  inventoryStatus: 'PENDING',
  paymentStatus: deadline > 0 ? 'PENDING' : 'NONE',
  history: [{ version: 1, from: null, to: 'PENDING', at, by: record.userId }],
  outbox: [{ id: `${record.orderId}:1`, type: 'order.created.v1', version: 1 }],
});

/** An order of the house begins at its end: nobody is told, only its units have still to leave. */
function asDelivered(
  record: HoldRecord,
  saleId: string,
  { house }: OrderFacts,
  at: Date,
): Beginning {
  if (!house) throw new Error(`hold ${record.orderId} does not say what the house wants it for`);
  const { by, reason, to } = house;
  return {
    status: 'DELIVERED',
    inventoryStatus: 'SOLD',
    paymentStatus: 'NONE',
    history: [{ version: 1, from: null, to: 'DELIVERED', at, by, reason }],
    shipping: unitNames(saleId, record.units),
    ...(to && { to }),
  };
}

function priceOf(record: HoldRecord, productId: string): number {
  const price = record.prices[productId];
  if (price === undefined) throw new Error(`hold ${record.orderId} has no price of ${productId}`);
  return price;
}
