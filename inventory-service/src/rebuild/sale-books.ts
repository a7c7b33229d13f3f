import { holdFromOrder } from '@quicksale/shared/orders';
import {
  unitsByProduct,
  type HoldRecord,
  type ProductCounters,
  type RebuiltKey,
} from '@quicksale/shared/stock-ledger';
import type { SaleOrder } from './sale-orders.ts';

/** What movements and orders say of a sale; filled order by order. */
export interface SaleBooks {
  /** Takes note of an order; answers its hold record, where it must have one. */
  note(order: SaleOrder): HoldRecord | undefined;
  buyers(): { userId: string; units: number }[];
  lines(): ({ productId: string } & ProductCounters)[];
  /** Numbers below the next new one that nobody owns. */
  free(): { productId: string; numbers: number[] }[];
}

interface Line {
  last: number;
  /** Numbers that orders own: in records, or gone. */
  owned: number[];
  held: number;
  gone: number;
}

/** The books of a sale in which each product has been given numbers up to its last unit. */
export function openBooks(options: {
  epoch: number;
  lastUnits: readonly { productId: string; lastUnit: number }[];
}): SaleBooks {
  const lines = new Map<string, Line>(
    options.lastUnits.map(({ productId, lastUnit }) => [
      productId,
      { last: lastUnit, owned: [], held: 0, gone: 0 },
    ]),
  );
  const counts = new Map<string, number>();

  const lineOf = (productId: string, number: number): Line => {
    const line = lines.get(productId);
    if (!line || number > line.last)
      throw new Error(`unit ${number} of product ${productId} came by no movement`);
    return line;
  };

  function note(order: SaleOrder): HoldRecord | undefined {
    if (!order.units?.length) return undefined;
    const isGone = order.inventoryStatus === 'SOLD';
    const record = isGone ? undefined : holdFromOrder(order, options.epoch);
    const hasDeadline = record !== undefined && record.expiresAt > 0;
    for (const [productId, numbers] of Object.entries(unitsByProduct(order.units)))
      for (const number of numbers) {
        const line = lineOf(productId, number);
        line.owned.push(number);
        if (isGone) line.gone += 1;
        if (hasDeadline) line.held += 1;
      }
    // What the house takes is nobody's, unless a buyer had put it aside.
    if (order.kind === 'order' || order.confirmsHold)
      counts.set(order.userId, (counts.get(order.userId) ?? 0) + order.units.length);
    return record;
  }

  const nextOf = ({ owned }: Line) => owned.reduce((top, number) => Math.max(top, number), 0) + 1;
  return {
    note,
    buyers: () => [...counts].map(([userId, units]) => ({ userId, units })),
    lines: () =>
      [...lines].map(([productId, line]) => {
        const { last, held, gone } = line;
        return {
          ...{ productId, last, next: nextOf(line), available: last - line.owned.length },
          ...{ held, gone },
        };
      }),
    free: () =>
      [...lines].map(([productId, line]) => {
        const owned = new Set(line.owned);
        if (owned.size < line.owned.length)
          throw new Error(`two orders own the same unit of product ${productId}`);
        const given = Array.from({ length: nextOf(line) - 1 }, (_, index) => index + 1);
        return { productId, numbers: given.filter((number) => !owned.has(number)) };
      }),
  };
}

const keyLifeMs = 24 * 3_600_000;

/** The order's idempotency key for what is left of its time. */
export function keyOf(order: SaleOrder, nowMs: number): RebuiltKey | undefined {
  const leftMs = keyLifeMs - (nowMs - order.createdAt.getTime());
  if (!order.idempotencyDigest || leftMs <= 0) return undefined;
  return {
    digest: order.idempotencyDigest,
    orderId: order.id,
    fingerprint: order.requestFingerprint,
    seconds: Math.ceil(Math.min(leftMs, keyLifeMs) / 1_000),
  };
}
