import type { Outcome, PaymentStatus, Status } from '../contracts/index.ts';
import {
  mayBecome,
  type HistoryEntry,
  type Order,
  type OrderState,
  type OutboxEntry,
} from './order.ts';

/** Something that happened and that an order has to take note of. */
export interface InventoryFact {
  type: 'inventory-result';
  /** Id of the event: a fact changes an order at most once. */
  cause: string;
  /** Id of the outbox entry whose arrival this proves. */
  outboxId: string;
  outcome: Outcome;
  paymentRequired: boolean;
  at: Date;
}

/** The buyer gives the order up before it is shipped. */
export interface CancelFact {
  type: 'cancel';
  /** Who cancels. */
  by: string;
  reason?: string;
  at: Date;
}

export type Fact = InventoryFact | CancelFact;

/** What `applyFact` looks at. */
export type DecidableOrder = OrderState &
  Pick<Order, 'id' | 'version' | 'history' | 'outbox' | 'units'>;

/** One step of an order, to be written only if it still has version `fromVersion`. */
export interface OrderChange {
  fromVersion: number;
  state: OrderState;
  historyEntry: HistoryEntry;
  /** Entries that have served. */
  removeOutbox: readonly string[];
  /** The event of this step, where its writer is not the one that publishes it at once. */
  addOutbox?: OutboxEntry;
  /** Units that the order gives up, for the ledger to take back. */
  release?: readonly string[];
  /** Nothing is left for the outbox scan. */
  settlesOutbox: boolean;
}

export type FactOutcome =
  | { kind: 'changed'; change: OrderChange }
  /** This very fact is in the history. */
  | { kind: 'already' }
  /** The order has moved on; the fact is void. */
  | { kind: 'impossible' };

/** Decides, from the order as it is now, what a fact does to it. Pure. */
export function applyFact(order: DecidableOrder, fact: Fact): FactOutcome {
  switch (fact.type) {
    case 'inventory-result':
      return applyInventoryResult(order, fact);
    case 'cancel':
      return applyCancel(order, fact);
  }
}

/** An order as it is right after its creation: what most results meet, known without a read. */
export function asCreated(
  id: string,
  paymentStatus: PaymentStatus,
  outboxId: string,
): DecidableOrder {
  return {
    id,
    status: 'PENDING',
    inventoryStatus: 'PENDING',
    paymentStatus,
    version: 1,
    history: [],
    outbox: [{ id: outboxId, type: 'order.created.v1', version: 1 }],
  };
}

function applyInventoryResult(order: DecidableOrder, fact: InventoryFact): FactOutcome {
  if (order.history.some((entry) => entry.cause === fact.cause)) return { kind: 'already' };
  const state = afterResult(order, fact);
  if (!state) return { kind: 'impossible' };
  const outboxLeft = (order.outbox ?? []).filter((entry) => entry.id !== fact.outboxId);
  return {
    kind: 'changed',
    change: {
      fromVersion: order.version,
      state,
      historyEntry: {
        ...step(order, state, fact.at),
        by: 'inventory-service',
        cause: fact.cause,
      },
      removeOutbox: [fact.outboxId],
      settlesOutbox: outboxLeft.length === 0,
    },
  };
}

function afterResult(order: OrderState, fact: InventoryFact): OrderState | undefined {
  if (order.inventoryStatus !== 'PENDING') return undefined;
  if (fact.outcome === 'REJECTED') return undefined;
  // Paid before the result came: only the units are news.
  if (order.status === 'CONFIRMED') return { ...pick(order), inventoryStatus: 'RESERVED' };
  const to: Status = fact.paymentRequired ? 'AWAITING_PAYMENT' : 'CONFIRMED';
  if (!mayBecome(order.status, to)) return undefined;
  return { ...pick(order), status: to, inventoryStatus: 'RESERVED' };
}

function applyCancel(order: DecidableOrder, fact: CancelFact): FactOutcome {
  if (order.status === 'CANCELLED') return { kind: 'already' };
  if (!mayBecome(order.status, 'CANCELLED')) return { kind: 'impossible' };
  const state: OrderState = { ...pick(order), status: 'CANCELLED', inventoryStatus: 'RELEASED' };
  const version = order.version + 1;
  return {
    kind: 'changed',
    change: {
      fromVersion: order.version,
      state,
      historyEntry: {
        ...step(order, state, fact.at),
        by: fact.by,
        ...(fact.reason && { reason: fact.reason }),
      },
      removeOutbox: [],
      addOutbox: { id: `${order.id}:${version}`, type: 'order.status.v1', version },
      release: order.units ?? [],
      settlesOutbox: false,
    },
  };
}

const step = (order: DecidableOrder, state: OrderState, at: Date) => ({
  version: order.version + 1,
  from: order.status,
  to: state.status,
  at,
});

const pick = ({ status, inventoryStatus, paymentStatus }: OrderState): OrderState => ({
  status,
  inventoryStatus,
  paymentStatus,
});
