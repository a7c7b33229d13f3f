import type { OrderChange } from './order-step.ts';
import { firstScanAfter } from './order-from-hold.ts';
import type { Order } from './order.ts';
import type { InsertOutcome, OrderPage, OrderStore } from './order-store.ts';

/**
 * The order store in memory, with the same unique keys as MongoDB's: for tests and for simulating
 * the use cases.
 */
export function createMemoryOrderStore(): OrderStore & {
  all(): Order[];
  /** The same without copies: to be looked at, at once. */
  look(): readonly Order[];
} {
  const orders = new Map<string, Order>();
  const copy = (order: Order): Order => structuredClone(order);
  const where = (test: (order: Order) => boolean) => [...orders.values()].filter(test).map(copy);

  function conflicts(order: Order): boolean {
    if (orders.has(order.id)) return true;
    return [...orders.values()].some(
      (other) =>
        (order.idempotencyDigest !== undefined &&
          other.idempotencyDigest === order.idempotencyDigest) ||
        other.units?.some((unit) => order.units?.includes(unit)),
    );
  }

  function dropMarks(
    list: 'releasing' | 'shipping',
    marks: readonly { id: string; units: readonly string[] }[],
  ): void {
    for (const { id, units } of marks) {
      const order = orders.get(id);
      const left = order?.[list]?.filter((unit) => !units.includes(unit));
      if (!order || !left) continue;
      if (left.length > 0) order[list] = left;
      else delete order[list];
    }
  }

  return {
    all: () => where(() => true),
    look: () => [...orders.values()],
    isReachable: () => true,
    insertMany: async (batch) =>
      batch.map((order): InsertOutcome => {
        if (conflicts(order)) return { kind: 'conflict' };
        orders.set(order.id, copy(order));
        return { kind: 'inserted' };
      }),
    findRelated: async ({ ids, digests, units }) =>
      where(
        (order) =>
          ids.includes(order.id) ||
          digests.includes(order.idempotencyDigest ?? '') ||
          (order.units ?? []).some((unit) => units.includes(unit)),
      ),
    findByIds: async (ids) => where((order) => ids.includes(order.id)),
    findOwn: async (userId, id) =>
      where((o) => o.id === id && o.userId === userId && o.kind === 'order')[0],
    listOwn: async (userId, { status, saleId, before, limit }) => {
      return pageOf(
        where(
          (order) =>
            order.userId === userId &&
            order.kind === 'order' &&
            (!before || order.id < before) &&
            (!status || order.status === status) &&
            (!saleId || order.saleId === saleId),
        ),
        limit,
      );
    },
    listOfMerchant: async ({ merchantId, status, saleId, from, to, before, limit }) =>
      pageOf(
        where(
          (order) =>
            order.kind === 'order' &&
            (!merchantId || order.merchantId === merchantId) &&
            (!before || order.id < before) &&
            (!status || order.status === status) &&
            (!saleId || order.saleId === saleId) &&
            (!from || order.createdAt >= from) &&
            (!to || order.createdAt < to),
        ),
        limit,
      ),
    applyChanges: async (changes) => {
      let matched = 0;
      for (const { id, change } of changes) {
        const order = orders.get(id);
        if (order?.version !== change.fromVersion) continue;
        orders.set(id, applyChange(order, change));
        matched += 1;
      }
      return { matched };
    },
    pullOutbox: async (entries) => {
      for (const { id, outboxIds } of entries) {
        const order = orders.get(id);
        if (order?.outbox)
          order.outbox = order.outbox.filter((entry) => !outboxIds.includes(entry.id));
      }
    },
    finishRelease: async (releases) => dropMarks('releasing', releases),
    finishShipping: async (shipments) => dropMarks('shipping', shipments),
    finishRepaying: async (seen) => {
      for (const { id, version } of seen) {
        const order = orders.get(id);
        if (order?.version === version) delete order.repaying;
      }
    },
    findOutboxDue: async (now, limit) =>
      where((order) => order.outboxAt !== undefined && order.outboxAt <= now).slice(0, limit),
    countStuck: async (before) =>
      where(
        ({ outboxAt, updatedAt, outbox, releasing, shipping, repaying }) =>
          outboxAt !== undefined &&
          updatedAt < before &&
          Boolean(outbox?.length || releasing || shipping || repaying),
      ).length,
    rescheduleOutbox: async (next) => {
      for (const { order: seen, at, tries } of next) {
        const order = orders.get(seen.id);
        if (order?.version !== seen.version) continue;
        if (order.outboxAt?.getTime() !== seen.outboxAt?.getTime()) continue;
        if (at) Object.assign(order, { outboxAt: at, outboxTries: tries });
        else settleOutbox(order);
      }
    },
  };
}

function pageOf(found: Order[], limit: number): OrderPage {
  const sorted = found.sort((a, b) => (a.id < b.id ? 1 : -1));
  const page = sorted.slice(0, limit);
  return { orders: page, next: sorted.length > limit ? page.at(-1)?.id : undefined };
}

function applyChange(order: Order, change: OrderChange): Order {
  const next: Order = {
    ...order,
    ...change.state,
    version: change.historyEntry.version,
    updatedAt: change.historyEntry.at,
    history: [...order.history, change.historyEntry],
  };
  if (change.settlesOutbox) settleOutbox(next);
  else
    next.outbox = [
      ...(order.outbox ?? []).filter(({ id }) => !change.removeOutbox.includes(id)),
      ...(change.addOutbox ? [change.addOutbox] : []),
    ];
  if (change.addOutbox) next.outboxAt = firstScanAfter(change.historyEntry.at);
  if (change.release?.length) {
    next.releasing = [...(order.releasing ?? []), ...change.release];
    const kept = (order.units ?? []).filter((unit) => !change.release?.includes(unit));
    if (change.keepsUnits) next.units = kept;
    else delete next.units;
  }
  if (change.ship?.length) next.shipping = [...change.ship];
  if (change.trackingNumber) next.trackingNumber = change.trackingNumber;
  if (change.repay) next.repaying = true;
  return next;
}

function settleOutbox(order: Order): void {
  delete order.outbox;
  delete order.outboxAt;
  delete order.outboxTries;
}
