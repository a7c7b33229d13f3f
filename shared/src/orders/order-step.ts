import type { PaymentStatus } from '../contracts/index.ts';
import type { HistoryEntry, Order, OrderState, OutboxEntry } from './order.ts';

/** What `applyFact` looks at. */
export type DecidableOrder = OrderState &
  Pick<
    Order,
    'id' | 'version' | 'history' | 'outbox' | 'units' | 'releasing' | 'shipping' | 'repaying'
  > &
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
  /** Units that leave the ledger for good; the order keeps them. */
  ship?: readonly string[];
  trackingNumber?: string;
  /** Less is to be paid than was: money may have to go back. */
  repay?: boolean;
  /** Nothing is left for the outbox scan. */
  settlesOutbox: boolean;
}

export type FactOutcome =
  | { kind: 'changed'; change: OrderChange }
  /** This very fact is in the history. */
  | { kind: 'already' }
  /** The order has moved on; the fact is void. */
  | { kind: 'impossible' };

export const isCause = ({ history }: DecidableOrder, cause: string | undefined): boolean =>
  cause !== undefined && history.some((entry) => entry.cause === cause);

/** Still to be paid: the order waits for money, and none has come. */
export const isUnpaid = ({ status, paymentStatus }: OrderState): boolean =>
  (status === 'PENDING' || status === 'AWAITING_PAYMENT') &&
  (paymentStatus === 'NONE' || paymentStatus === 'PENDING' || paymentStatus === 'FAILED');

/** Money was taken for it, and not all of it has gone back. */
export const isPaid = (paymentStatus: PaymentStatus): boolean =>
  paymentStatus === 'PAID' || paymentStatus === 'PARTIALLY_REFUNDED';

/** A step whose event goes out by the order's own outbox. */
export function announced(
  order: DecidableOrder,
  next: Pick<
    OrderChange,
    'state' | 'release' | 'keepsUnits' | 'ship' | 'trackingNumber' | 'repay'
  > & {
    at: Date;
    entry: Omit<HistoryEntry, 'version' | 'from' | 'to' | 'at'>;
  },
): FactOutcome {
  const { state, at, entry, ...effects } = next;
  const version = order.version + 1;
  return {
    kind: 'changed',
    change: {
      fromVersion: order.version,
      state,
      historyEntry: {
        ...step(order, state, at),
        ...entry,
        ...(effects.release?.length && { released: effects.release }),
      },
      removeOutbox: [],
      addOutbox: { id: `${order.id}:${version}`, type: 'order.status.v1', version },
      ...effects,
      settlesOutbox: false,
    },
  };
}

export const step = (
  order: DecidableOrder,
  state: OrderState,
  at: Date,
): Omit<HistoryEntry, 'by'> => ({
  version: order.version + 1,
  from: order.status,
  to: state.status,
  inventoryStatus: state.inventoryStatus,
  paymentStatus: state.paymentStatus,
  at,
});

export const pick = ({ status, inventoryStatus, paymentStatus }: OrderState): OrderState => ({
  status,
  inventoryStatus,
  paymentStatus,
});
