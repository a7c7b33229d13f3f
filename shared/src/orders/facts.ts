import type { Outcome } from '../contracts/index.ts';
import type { UnitCount } from './order.ts';

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

/** The order is given up before it is shipped, or some of its units are. */
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

/** Money for an order was refused. */
export interface DeclineFact {
  type: 'decline';
  /** Id of the attempt. */
  cause: string;
  by: string;
  reason?: string;
  at: Date;
}

/** All that was paid goes back, and with it the order ends. */
export interface RefundFact {
  type: 'refund';
  by: string;
  reason: string;
  /** Id of the request: it refunds once. */
  cause: string;
  at: Date;
}

/** Money has gone back to the buyer. */
export interface RepaidFact {
  type: 'repaid';
  /** Id of the refund. */
  cause: string;
  by: string;
  reason?: string;
  /** Nothing of what was paid is left. */
  isAll: boolean;
  at: Date;
}

/** The merchant goes on with the order. */
export interface FulfilFact {
  type: 'fulfil';
  to: 'PROCESSING' | 'SHIPPED' | 'DELIVERED';
  by: string;
  reason?: string;
  trackingNumber?: string;
  at: Date;
}

/** The ledger says, by its own clock, that the hold's deadline has passed. */
export interface ExpireFact {
  type: 'expire';
  at: Date;
}

export type Fact =
  | InventoryFact
  | CancelFact
  | PayFact
  | DeclineFact
  | RefundFact
  | RepaidFact
  | FulfilFact
  | ExpireFact;
