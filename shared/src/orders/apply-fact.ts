import type { Outcome, PaymentStatus, Status } from '../contracts/index.ts';
import {
  mayBecome,
  type HistoryEntry,
  type Order,
  type OrderState,
  type OutboxEntry,
  type UnitCount,
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

/** The buyer gives the order up before it is shipped, or some of its units. */
export interface CancelFact {
  type: 'cancel';
  /** Who cancels. */
  by: string;
  reason?: string;
  /** The units to cancel, those with the highest numbers; all when absent. */
  units?: readonly UnitCount[];
  /** Id of the request: it cancels once. */
  cause?: string;
  fingerprint?: string;
  at: Date;
}

/** The money for an order is there. */
export interface PayFact {
  type: 'pay';
  /** Id of the payment. */
  cause: string;
  /** Who pays. */
  by: string;
  at: Date;
}

/** The ledger says, by its own clock, that the hold's deadline has passed. */
export interface ExpireFact {
  type: 'expire';
  at: Date;
}

export type Fact = InventoryFact | CancelFact | PayFact | ExpireFact;

/** What `applyFact` looks at. */
export type DecidableOrder = OrderState &
  Pick<Order, 'id' | 'version' | 'history' | 'outbox' | 'units' | 'releasing' | 'shipping'> &
  Partial<Pick<Order, 'expiresAt'>>;

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
  /** The order has others, which stay with it. */
  keepsUnits?: boolean;
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
    case 'pay':
      return applyPay(order, fact);
    case 'expire':
      return applyExpire(order, fact);
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
  if (isCause(order, fact.cause)) return { kind: 'already' };
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
      // The scan has to find units that are still on their way, too.
      settlesOutbox: outboxLeft.length === 0 && !order.releasing?.length && !order.shipping?.length,
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
  if (isCause(order, fact.cause)) return { kind: 'already' };
  if (order.status === 'CANCELLED') return { kind: 'already' };
  if (!mayBecome(order.status, 'CANCELLED')) return { kind: 'impossible' };
  const owned = order.units ?? [];
  const release = fact.units ? highestOf(owned, fact.units) : owned;
  if (!release) return { kind: 'impossible' };
  const isWhole = release.length === owned.length;
  const entry = {
    by: fact.by,
    ...(fact.reason && { reason: fact.reason }),
    ...(fact.cause && { cause: fact.cause }),
    ...(fact.fingerprint && { fingerprint: fact.fingerprint }),
  };
  if (isWhole) {
    const over = { ...pick(order), status: 'CANCELLED', inventoryStatus: 'RELEASED' } as const;
    return announced(order, { state: over, at: fact.at, entry, release });
  }
  // Where nobody has paid there is nothing to give back: the order just costs less.
  const wasPaid = order.paymentStatus === 'PAID';
  return announced(order, {
    state: { ...pick(order), ...(wasPaid && { paymentStatus: 'PARTIALLY_REFUNDED' }) },
    at: fact.at,
    entry: { ...entry, cancelled: fact.units ?? [] },
    release,
    keepsUnits: true,
  });
}

/** The units with the highest numbers; undefined when the order has not so many. */
function highestOf(
  owned: readonly string[],
  wanted: readonly UnitCount[],
): readonly string[] | undefined {
  const chosen: string[] = [];
  for (const { productId, quantity } of wanted) {
    const ofProduct = owned
      .map((name) => ({ name, product: name.split(':')[1], number: Number(name.split(':')[2]) }))
      .filter(({ product }) => product === productId)
      .sort((a, b) => b.number - a.number);
    if (ofProduct.length < quantity) return undefined;
    chosen.push(...ofProduct.slice(0, quantity).map(({ name }) => name));
  }
  return chosen;
}

/** Pay is taken in PENDING too: a Kafka that is away must not let a paying buyer's order expire. */
function applyPay(order: DecidableOrder, fact: PayFact): FactOutcome {
  if (isCause(order, fact.cause)) return { kind: 'already' };
  if (!isUnpaid(order) || order.paymentStatus === 'NONE') return { kind: 'impossible' };
  return announced(order, {
    state: { ...pick(order), status: 'CONFIRMED', paymentStatus: 'PAID' },
    at: fact.at,
    entry: { by: fact.by, cause: fact.cause },
  });
}

/** The payment status stays: no money has moved. */
function applyExpire(order: DecidableOrder, fact: ExpireFact): FactOutcome {
  if (order.status === 'EXPIRED') return { kind: 'already' };
  if (!isUnpaid(order) || !order.expiresAt) return { kind: 'impossible' };
  return announced(order, {
    state: { ...pick(order), status: 'EXPIRED', inventoryStatus: 'RELEASED' },
    at: fact.at,
    entry: { by: 'order-service', reason: 'not paid in time' },
    release: order.units ?? [],
  });
}

/** Still to be paid: the order waits for money, and none has come. */
export const isUnpaid = ({ status, paymentStatus }: OrderState) =>
  (status === 'PENDING' || status === 'AWAITING_PAYMENT') &&
  (paymentStatus === 'NONE' || paymentStatus === 'PENDING' || paymentStatus === 'FAILED');

const isCause = ({ history }: DecidableOrder, cause: string | undefined) =>
  cause !== undefined && history.some((entry) => entry.cause === cause);

/** A step whose event goes out by the order's own outbox. */
function announced(
  order: DecidableOrder,
  next: Pick<OrderChange, 'state' | 'release' | 'keepsUnits'> & {
    at: Date;
    entry: Omit<HistoryEntry, 'version' | 'from' | 'to' | 'at'>;
  },
): FactOutcome {
  const { state, at, entry, ...units } = next;
  const version = order.version + 1;
  return {
    kind: 'changed',
    change: {
      fromVersion: order.version,
      state,
      historyEntry: {
        ...step(order, state, at),
        ...entry,
        ...(units.release?.length && { released: units.release }),
      },
      removeOutbox: [],
      addOutbox: { id: `${order.id}:${version}`, type: 'order.status.v1', version },
      ...units,
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
