import type { Operation } from '../history.ts';
import type { StoredOrder, StoreState } from './store-state.ts';

/** An invariant that does not hold, with what shows it. */
export interface Violation {
  invariant: string;
  text: string;
}

/** When the ledger forgot things; milliseconds since the run began, as in the history. */
export interface LedgerLoss {
  since: number;
  at: number;
  until: number;
}

/** Everything that is judged. */
export interface Evidence {
  history: readonly Operation[];
  state: StoreState;
  losses: readonly LedgerLoss[];
  /** What was still open when the time for it was over; empty of a shop that came to rest. */
  openWork: readonly string[];
  /** Sales of this run by id. */
  fastSales: ReadonlySet<string>;
  limits: ReadonlyMap<string, number>;
}

/** Where checks put what they find. */
export interface Findings {
  violation(invariant: string, text: string): void;
  /** What a lost ledger may do, by the guarantee's own words. */
  excuse(what: string): void;
}

/** Orders and attempts to place them, found by each other. */
export interface Index {
  orders: ReadonlyMap<string, StoredOrder>;
  ordersByKey: ReadonlyMap<string, readonly StoredOrder[]>;
  /** Operations that place an order, by user and key. */
  attempts: ReadonlyMap<string, readonly Operation[]>;
}

export const keyOf = (userId: string, key = ''): string => `${userId} ${key}`;

export function indexEvidence({ history, state }: Evidence): Index {
  const buyers = state.orders.filter(({ kind }) => kind === 'order');
  return {
    orders: new Map(state.orders.map((order) => [order.id, order])),
    ordersByKey: Map.groupBy(buyers, (order) => keyOf(order.userId, order.idempotencyKey)),
    attempts: Map.groupBy(
      history.filter(({ type }) => type === 'place'),
      ({ userId, key }) => keyOf(userId, key),
    ),
  };
}

/**
 * Whether an order may have been on its way when the ledger lost things: asked for before, and not
 * answered yet. Only then a loss may make somebody pass the limit, or be told that all is sold.
 */
export function wasInFlight(
  losses: readonly LedgerLoss[],
  attempts: readonly Operation[],
): boolean {
  const first = Math.min(...attempts.map(({ invokedAt }) => invokedAt));
  const answered = Math.min(
    ...attempts.filter(({ outcome }) => outcome === 'ok').map(({ endedAt }) => endedAt),
  );
  return losses.some(({ at, until }) => first <= until && answered >= at);
}

/** Unit names, taken apart. */
export function unitOf(name: string): { saleId: string; productId: string; number: number } {
  const [saleId = '', productId = '', number] = name.split(':');
  return { saleId, productId, number: Number(number) };
}

export const isHeld = ({ inventoryStatus }: StoredOrder): boolean =>
  inventoryStatus === 'PENDING' || inventoryStatus === 'RESERVED';

/** The first few of many, for people. */
export const some = (all: readonly string[], most = 5): string =>
  all.slice(0, most).join(', ') + (all.length > most ? ` and ${all.length - most} more` : '');
