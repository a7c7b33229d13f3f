import {
  applyFact,
  mayBecome,
  orderStatusEvent,
  type Order,
  type OrderChange,
  type OrderStore,
  type UnitCount,
} from '@quicksale/shared/orders';
import { AppError } from '@quicksale/shared/errors';
import { faultPoint, type Clock } from '@quicksale/shared/process';
import type { EarlyAnswers } from '../intake/early-answers.ts';
import type { Relay } from '../outbox/relay.ts';
import type { ReleaseUnits } from '../outbox/release-units.ts';
import { missingOrder } from './read-order.ts';

export interface CancelOrderDeps {
  clock: Clock;
  orders: OrderStore;
  early: Pick<EarlyAnswers, 'complete'>;
  relay: Pick<Relay, 'send'>;
  releaseUnits: ReleaseUnits;
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

/** Rounds of deciding again when somebody else changes the order meanwhile. */
const mostRounds = 5;

/**
 * Cancels a buyer's own order, or some units of it, before it is shipped. MongoDB first: status and
 * units change in one compare-and-set; then the ledger takes the units back. The same key again has
 * no further effect, nor has cancelling a cancelled order.
 */
export async function cancelOrder(
  deps: CancelOrderDeps,
  input: CancelOrderInput,
): Promise<CancelOrderResult> {
  const { reason, units, fingerprint } = input;
  const cause = `cancel:${input.digest}`;
  for (let round = 0; round < mostRounds; round += 1) {
    const order = await deps.orders.findOwn(input.userId, input.orderId);
    if (!order) {
      if (await deps.early.complete(input.userId, input.orderId)) continue;
      return missingOrder(input.orderId, deps.clock.now());
    }
    const earlier = order.history.find((entry) => entry.cause === cause);
    if (earlier && earlier.fingerprint !== fingerprint) return { status: 'key_reused' };
    const outcome = applyFact(order, {
      type: 'cancel',
      by: input.userId,
      ...(reason && { reason }),
      ...(units && { units }),
      cause,
      fingerprint,
      at: new Date(deps.clock.now()),
    });
    switch (outcome.kind) {
      case 'already':
        return { status: 'cancelled', order };
      case 'impossible':
        return { status: mayBecome(order.status, 'CANCELLED') ? 'not_owned' : 'too_late', order };
      case 'changed': {
        const { matched } = await deps.orders.applyChanges([
          { id: order.id, change: outcome.change },
        ]);
        if (matched === 1) return finish(deps, order, outcome.change);
      }
    }
  }
  throw new AppError('overloaded', { message: 'The order keeps changing: try again' });
}

/** What follows from the written step; all of it is repeated by the outbox scan if it gets lost. */
async function finish(
  deps: CancelOrderDeps,
  order: Order,
  change: OrderChange,
): Promise<CancelOrderResult> {
  faultPoint('after-cancel-written');
  await deps.releaseUnits([
    { id: order.id, saleId: order.saleId, releasing: change.release ?? [] },
  ]);
  faultPoint('after-release-finished');
  const event = orderStatusEvent(order, change.state, change.historyEntry);
  deps.relay.send([event], () => deps.orders.pullOutbox([{ id: order.id, outboxIds: [event.id] }]));
  const [cancelled] = await deps.orders.findByIds([order.id]);
  return { status: 'cancelled', order: cancelled ?? order };
}
