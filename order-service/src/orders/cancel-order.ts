import { mayBecome, type Order, type OrderStore, type UnitCount } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { EarlyAnswers } from '../intake/early-answers.ts';
import { changeOrder, type ChangeOrderDeps } from './change-order.ts';
import { missingOrder } from './read-order.ts';

export interface CancelOrderDeps extends ChangeOrderDeps {
  clock: Clock;
  orders: OrderStore;
  early: Pick<EarlyAnswers, 'complete'>;
}

export type CancelOrderResult =
  | { status: 'cancelled'; order: Order }
  | { status: 'not_found' }
  /** It may have been answered by another process and not be in MongoDB yet. */
  | { status: 'being_recorded' }
  | { status: 'too_late'; order: Order }
  /** The order has not so many units of these products. */
  | { status: 'not_owned'; order: Order }
  /** This key has cancelled something else of this order. */
  | { status: 'key_reused' };

export interface CancelOrderInput {
  userId: string;
  orderId: string;
  reason?: string;
  /** The units to cancel; all when absent. */
  units?: readonly UnitCount[];
  /** Digest of the Idempotency-Key, and what was asked for under it. */
  digest: string;
  fingerprint: string;
}

/**
 * Cancels a buyer's own order, or some units of it, before it is shipped. MongoDB first: status and
 * units change in one compare-and-set; then the ledger takes the units back. The same key again has
 * no further effect, nor has cancelling a cancelled order.
 */
export async function cancelOrder(
  deps: CancelOrderDeps,
  input: CancelOrderInput,
): Promise<CancelOrderResult> {
  const { userId, orderId, reason, units, fingerprint } = input;
  const order =
    (await deps.orders.findOwn(userId, orderId)) ??
    // One that was answered early is written first.
    ((await deps.early.complete(userId, orderId))
      ? await deps.orders.findOwn(userId, orderId)
      : undefined);
  if (!order) return missingOrder(orderId, deps.clock.now());
  const cause = `cancel:${input.digest}`;
  const result = await changeOrder(deps, order, () => ({
    type: 'cancel',
    by: userId,
    ...(reason && { reason }),
    ...(units && { units }),
    cause,
    fingerprint,
    at: new Date(deps.clock.now()),
  }));
  const earlier = result.order.history.find((entry) => entry.cause === cause);
  if (earlier && earlier.fingerprint !== fingerprint) return { status: 'key_reused' };
  if (result.kind !== 'impossible') return { status: 'cancelled', order: result.order };
  const isOpen = mayBecome(result.order.status, 'CANCELLED');
  return { status: isOpen ? 'not_owned' : 'too_late', order: result.order };
}
