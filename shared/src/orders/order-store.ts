import type { OrderChange } from './order-step.ts';
import type { Order } from './order.ts';

/** What became of one order of a group insert. */
export type InsertOutcome =
  | { kind: 'inserted' }
  /** Lost against a document on `_id`, digest or a unit: read what is there. */
  | { kind: 'conflict' }
  /** The document itself was refused. */
  | { kind: 'refused'; cause: unknown };

export interface OrderPage {
  orders: Order[];
  /** Id to pass as `before` for the next page. */
  next: string | undefined;
}

/** Which buyers' orders a merchant, or whoever may see all of them, asks for. */
export interface MerchantOrdersFilter {
  /** Those of all merchants when absent. */
  merchantId?: string;
  status?: Order['status'];
  saleId?: string;
  /** Placed at this time or later, and before that one. */
  from?: Date;
  to?: Date;
  before?: string;
  limit: number;
}

/**
 * Orders in MongoDB. Everything throws AppError `dependency-unavailable` when the store is away: the
 * outcome of a write is then unknown.
 */
export interface OrderStore {
  /** Whether a write has a chance at all at this moment. */
  isReachable(): boolean;
  /** Each order on its own: one that conflicts does not keep the others out. */
  insertMany(orders: readonly Order[]): Promise<InsertOutcome[]>;
  /** Orders with one of these ids, digests or units, in one read. */
  findRelated(by: {
    ids: readonly string[];
    digests: readonly string[];
    units: readonly string[];
  }): Promise<Order[]>;
  findByIds(ids: readonly string[]): Promise<Order[]>;
  /** An order that this user placed, and nobody else; never one of the house. */
  findOwn(userId: string, id: string): Promise<Order | undefined>;
  /** The same, newest first. */
  listOwn(
    userId: string,
    filter: { status?: string; saleId?: string; before?: string; limit: number },
  ): Promise<OrderPage>;
  /** Buyers' orders of a merchant's products, newest first; never one of the house. */
  listOfMerchant(filter: MerchantOrdersFilter): Promise<OrderPage>;
  /** Compare-and-set of many orders; resolves to how many had the version that was asked for. */
  applyChanges(
    changes: readonly { id: string; change: OrderChange }[],
  ): Promise<{ matched: number }>;
  /** Takes served outbox entries off orders whose version does not change. */
  pullOutbox(entries: readonly { id: string; outboxIds: readonly string[] }[]): Promise<void>;
  /** Exactly these units leave `releasing`: the ledger has them back. */
  finishRelease(releases: readonly { id: string; units: readonly string[] }[]): Promise<void>;
  /** Exactly these units leave `shipping`: the ledger counts them as gone. The order keeps them. */
  finishShipping(shipments: readonly { id: string; units: readonly string[] }[]): Promise<void>;
  /** Of orders that still have this version: what had to go back has gone. */
  finishRepaying(seen: readonly { id: string; version: number }[]): Promise<void>;
  /** Orders that the outbox scan has to look at. */
  findOutboxDue(now: Date, limit: number): Promise<Order[]>;
  /** Orders whose last step was before this and of which something is still to be done. */
  countStuck(before: Date): Promise<number>;
  /** Sets the scan's next look at an order, if nobody else has moved it; unset when done. */
  rescheduleOutbox(
    next: readonly { order: Order; at: Date | undefined; tries: number }[],
  ): Promise<void>;
}
