import type { Outcome, PaymentStatus, Status } from '../contracts/index.ts';
import { mayBecome, type HistoryEntry, type Order, type OrderState } from './order.ts';

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

export type Fact = InventoryFact;

/** What `applyFact` looks at. */
export type DecidableOrder = OrderState & Pick<Order, 'version' | 'history' | 'outbox'>;

/** One step of an order, to be written only if it still has version `fromVersion`. */
export interface OrderChange {
  fromVersion: number;
  state: OrderState;
  historyEntry: HistoryEntry;
  /** Entries that have served. */
  removeOutbox: readonly string[];
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
  if (order.history.some((entry) => entry.cause === fact.cause)) return { kind: 'already' };
  const state = applyInventoryResult(order, fact);
  if (!state) return { kind: 'impossible' };
  const outboxLeft = (order.outbox ?? []).filter((entry) => entry.id !== fact.outboxId);
  return {
    kind: 'changed',
    change: {
      fromVersion: order.version,
      state,
      historyEntry: {
        version: order.version + 1,
        from: order.status,
        to: state.status,
        at: fact.at,
        by: 'inventory-service',
        cause: fact.cause,
      },
      removeOutbox: [fact.outboxId],
      settlesOutbox: outboxLeft.length === 0,
    },
  };
}

/** An order as it is right after its creation: what most results meet, known without a read. */
export function asCreated(paymentStatus: PaymentStatus, outboxId: string): DecidableOrder {
  return {
    status: 'PENDING',
    inventoryStatus: 'PENDING',
    paymentStatus,
    version: 1,
    history: [],
    outbox: [{ id: outboxId, type: 'order.created.v1', version: 1 }],
  };
}

function applyInventoryResult(order: OrderState, fact: InventoryFact): OrderState | undefined {
  if (order.inventoryStatus !== 'PENDING') return undefined;
  if (fact.outcome === 'REJECTED') return undefined;
  // Paid before the result came: only the units are news.
  if (order.status === 'CONFIRMED') return { ...pick(order), inventoryStatus: 'RESERVED' };
  const to: Status = fact.paymentRequired ? 'AWAITING_PAYMENT' : 'CONFIRMED';
  if (!mayBecome(order.status, to)) return undefined;
  return { ...pick(order), status: to, inventoryStatus: 'RESERVED' };
}

const pick = ({ status, inventoryStatus, paymentStatus }: OrderState): OrderState => ({
  status,
  inventoryStatus,
  paymentStatus,
});
