import { orderFromHold, type Order } from '@quicksale/shared/orders';
import type { HoldRecord } from '@quicksale/shared/stock-ledger';
import type { Hold } from '../intake/record-holds.ts';

/** What MongoDB says of a sale's units while its ledger is being rebuilt. */
export interface FreeUnits {
  /** Unit names that orders own, with the order. */
  owners: ReadonlyMap<string, string>;
  /** Numbers by product that no order has, gone ones left out. */
  free: ReadonlyMap<string, readonly number[]>;
  at: Date;
}

export type SettledHold =
  /** To be inserted: with its own units, or with others where its own were issued again. */
  | { kind: 'kept'; hold: Hold; order: Order; newUnits: number }
  /** To be inserted as FAILED, without units: its buyer was told yes and has to be told. */
  | { kind: 'failed'; hold: Hold; order: Order }
  /** Nobody was told anything: it goes with the ledger that was lost. */
  | { kind: 'dropped'; hold: Hold };

type Units = Record<string, number[]>;

/**
 * Decides what becomes of holds of one sale that are in no document, after a loss of the ledger: it
 * may have issued their units again. Older holds are served first; an order gets all of its units or
 * none. Pure; to be called, and its orders inserted, before the ledger is written back.
 */
export function settleLostHolds(holds: readonly Hold[], sale: FreeUnits): SettledHold[] {
  const sorted = [...holds].sort(
    ({ record: a }, { record: b }) => a.at - b.at || (a.orderId < b.orderId ? -1 : 1),
  );
  const claimed = new Set<string>();
  // Everybody's own first: a replacement must not be a number that a later hold rightly has.
  const owns = new Map(sorted.map((hold) => [hold, claimOwn(hold, sale.owners, claimed)]));
  const pool = new Map(
    [...sale.free].map(([productId, numbers]) => [
      productId,
      numbers.filter((number) => !claimed.has(`${productId}:${number}`)).sort((a, b) => a - b),
    ]),
  );
  return sorted.map((hold) => settle(hold, owns.get(hold) ?? {}, pool, sale.at));
}

/** Its units that are nobody else's. */
function claimOwn(
  { saleId, record }: Hold,
  owners: ReadonlyMap<string, string>,
  claimed: Set<string>,
): Units {
  const units: Units = {};
  for (const [productId, numbers] of Object.entries(record.units))
    units[productId] = numbers.filter((number) => {
      const owner = owners.get(`${saleId}:${productId}:${number}`) ?? record.orderId;
      const name = `${productId}:${number}`;
      if (owner !== record.orderId || claimed.has(name)) return false;
      claimed.add(name);
      return true;
    });
  return units;
}

function settle(hold: Hold, own: Units, pool: Map<string, number[]>, at: Date): SettledHold {
  const { record, saleId } = hold;
  const missing = Object.entries(record.units).map(([productId, numbers]) => ({
    productId,
    count: numbers.length - (own[productId]?.length ?? 0),
  }));
  const newUnits = missing.reduce((sum, { count }) => sum + count, 0);
  const isThere = missing.every(
    ({ productId, count }) => (pool.get(productId) ?? []).length >= count,
  );
  if (newUnits === 0 || (record.fast && isThere)) {
    const units: Units = {};
    for (const { productId, count } of missing)
      units[productId] = [
        ...(own[productId] ?? []),
        ...(pool.get(productId)?.splice(0, count) ?? []),
      ].sort((a, b) => a - b);
    return { kind: 'kept', hold, order: orderFromHold({ ...record, units }, saleId), newUnits };
  }
  // What it leaves may serve the next.
  for (const [productId, numbers] of Object.entries(own))
    pool.set(
      productId,
      [...(pool.get(productId) ?? []), ...numbers].sort((a, b) => a - b),
    );
  if (!record.fast) return { kind: 'dropped', hold };
  return { kind: 'failed', hold, order: failedOrder(record, saleId, at) };
}

/** As created, and then failed: its event tells the buyer; `order.created` never goes out. */
function failedOrder(record: HoldRecord, saleId: string, at: Date): Order {
  const { units: _units, ...order } = orderFromHold(record, saleId);
  const version = order.version + 1;
  const reason = 'the units were lost';
  const inventoryStatus = 'REJECTED';
  const { status: from, paymentStatus } = order;
  const step = { version, from, to: 'FAILED', inventoryStatus, paymentStatus, at } as const;
  return {
    ...order,
    status: 'FAILED',
    inventoryStatus,
    version,
    history: [...order.history, { ...step, by: 'order-service', reason }],
    outbox: [{ id: `${order.id}:${version}`, type: 'order.status.v1', version }],
    outboxAt: at,
    updatedAt: at,
  };
}
