import {
  applyFact,
  orderStatusEvent,
  type Order,
  type OrderChange,
  type OrderStore,
} from '@quicksale/shared/orders';
import { AppError } from '@quicksale/shared/errors';
import type { Clock } from '@quicksale/shared/process';
import type { Relay } from '../outbox/relay.ts';
import type { ReleaseUnits } from '../outbox/release-units.ts';

export interface CancelOrderDeps {
  clock: Clock;
  orders: OrderStore;
  relay: Pick<Relay, 'send'>;
  releaseUnits: ReleaseUnits;
}

export type CancelOrderResult =
  | { status: 'cancelled'; order: Order }
  | { status: 'not_found' }
  | { status: 'too_late'; order: Order };

/** Rounds of deciding again when somebody else changes the order meanwhile. */
const mostRounds = 5;

/**
 * Cancels a buyer's own order before it is shipped. MongoDB first: status and units change in one
 * compare-and-set; then the ledger takes the units back. Cancelling again has no further effect.
 */
export async function cancelOrder(
  deps: CancelOrderDeps,
  input: { userId: string; orderId: string; reason?: string },
): Promise<CancelOrderResult> {
  for (let round = 0; round < mostRounds; round += 1) {
    const order = await deps.orders.findOwn(input.userId, input.orderId);
    if (!order) return { status: 'not_found' };
    const outcome = applyFact(order, {
      type: 'cancel',
      by: input.userId,
      ...(input.reason && { reason: input.reason }),
      at: new Date(deps.clock.now()),
    });
    switch (outcome.kind) {
      case 'already':
        return { status: 'cancelled', order };
      case 'impossible':
        return { status: 'too_late', order };
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
  await deps.releaseUnits([
    { id: order.id, saleId: order.saleId, releasing: change.release ?? [] },
  ]);
  const event = orderStatusEvent(order, change.state, change.historyEntry);
  deps.relay.send([event], () => deps.orders.pullOutbox([{ id: order.id, outboxIds: [event.id] }]));
  const [cancelled] = await deps.orders.findByIds([order.id]);
  return { status: 'cancelled', order: cancelled ?? order };
}
