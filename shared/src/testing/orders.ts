import { createHash, randomBytes } from 'node:crypto';
import { orderFromHold } from '../orders/order-from-hold.ts';
import type { Order, OrderFacts } from '../orders/order.ts';
import type { HoldRecord } from '../stock-ledger/hold-record.ts';

/** A fresh id of a document. */
export const newId = (): string => randomBytes(12).toString('hex');

export interface HoldWish {
  orderId?: string;
  userId?: string;
  saleId?: string;
  productId?: string;
  units?: readonly number[];
  key?: string;
  digest?: string;
  at?: number;
  expiresAt?: number;
  /** Makes it a hold of the house. */
  house?: OrderFacts['house'];
}

/** A hold record as reserve.lua writes it, for one product at 49.99. */
export function givenHold(wish: HoldWish = {}): { saleId: string; record: HoldRecord } {
  const saleId = wish.saleId ?? newId();
  const productId = wish.productId ?? newId();
  const key = wish.key ?? newId();
  const facts: OrderFacts = {
    orderNumber: `ORD-2026-${newId().slice(0, 6)}`,
    saleId,
    currency: 'USD',
    items: [{ productId, sku: 'SKU-1', name: 'Lamp', quantity: wish.units?.length ?? 1 }],
    key,
    digest: wish.digest ?? createHash('sha256').update(newId()).digest('hex'),
    fingerprint: 'f'.repeat(64),
    ...(wish.house && { house: wish.house }),
  };
  return {
    saleId,
    record: {
      orderId: wish.orderId ?? newId(),
      kind: wish.house ? 'house' : 'order',
      userId: wish.userId ?? newId(),
      epoch: 1,
      at: wish.at ?? Date.UTC(2026, 0, 1),
      expiresAt: wish.expiresAt ?? 0,
      units: { [productId]: wish.units ?? [1] },
      prices: { [productId]: 4999 },
      facts: JSON.stringify(facts),
    },
  };
}

/** A fresh order: PENDING, or DELIVERED when it is the house's. */
export function givenOrder(wish: HoldWish = {}): Order {
  const { saleId, record } = givenHold(wish);
  return orderFromHold(record, saleId);
}
