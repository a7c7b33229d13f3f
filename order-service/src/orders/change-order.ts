import { AppError } from '@quicksale/shared/errors';
import {
  applyFact,
  orderStatusEvent,
  type Fact,
  type Order,
  type OrderChange,
  type OrderStore,
} from '@quicksale/shared/orders';
import { faultPoint, type FaultPoint } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { Relay } from '../outbox/relay.ts';
import type { ReleaseUnits } from '../outbox/release-units.ts';
import type { ShipUnits } from '../outbox/ship-units.ts';

export interface ChangeOrderDeps {
  orders: Pick<OrderStore, 'applyChanges' | 'findByIds' | 'pullOutbox'>;
  ledger: Pick<StockLedger, 'settle'>;
  relay: Pick<Relay, 'send'>;
  releaseUnits: ReleaseUnits;
  shipUnits: ShipUnits;
  repay: Repay;
}

/**
 * Sends back what of the money for these orders is more than they cost now, and takes their mark off.
 * What cannot be done now keeps its mark for the outbox scan; never rejects.
 */
export type Repay = (orders: readonly Order[]) => Promise<void>;

export type ChangedOrder =
  | { kind: 'changed'; order: Order }
  | { kind: 'already'; order: Order }
  | { kind: 'impossible'; order: Order };

/** Rounds of deciding again when somebody else changes the order meanwhile. */
const mostRounds = 5;

/** Where a test may have the process die, once the step of such a fact is written. */
const writtenPoints: Partial<Record<Fact['type'], FaultPoint>> = {
  cancel: 'after-cancel-written',
  pay: 'after-pay-written',
  fulfil: 'after-fulfil-written',
  refund: 'after-refund-written',
};

/**
 * Brings a fact to an order: status, units and marks change in one compare-and-set; then the ledger
 * and the buyer follow. All that comes after the write is repeated by the outbox scan, or by the
 * expiry sweep, if it gets lost. `decide` looks at the order of each round and may throw. Throws
 * AppError `overloaded` when the order keeps changing, `dependency-unavailable` when MongoDB is away.
 */
export async function changeOrder(
  deps: ChangeOrderDeps,
  found: Order,
  decide: (order: Order) => Fact,
): Promise<ChangedOrder> {
  let order = found;
  for (let round = 0; round < mostRounds; round += 1) {
    const fact = decide(order);
    const outcome = applyFact(order, fact);
    if (outcome.kind !== 'changed') return { kind: outcome.kind, order };
    const { change } = outcome;
    const { matched } = await deps.orders.applyChanges([{ id: order.id, change }]);
    if (matched === 1) {
      const point = writtenPoints[fact.type];
      if (point) faultPoint(point);
      return { kind: 'changed', order: await follow(deps, order, change) };
    }
    order = (await deps.orders.findByIds([order.id]))[0] ?? order;
  }
  throw new AppError('overloaded', { message: 'The order keeps changing: try again' });
}

/** What follows from a written step; resolves to the order as it is then. */
async function follow(deps: ChangeOrderDeps, order: Order, change: OrderChange): Promise<Order> {
  const { id, saleId } = order;
  if (change.release?.length) await deps.releaseUnits([{ id, saleId, releasing: change.release }]);
  if (change.ship?.length) await deps.shipUnits([{ ...order, shipping: change.ship }]);
  if (change.state.paymentStatus === 'PAID' && order.expiresAt) await settle(deps, order);
  faultPoint('after-release-finished');
  const event = orderStatusEvent(order, change.state, change.historyEntry);
  deps.relay.send([event], () => deps.orders.pullOutbox([{ id, outboxIds: [event.id] }]));
  const changed = await read(deps, order);
  if (!change.repay) return changed;
  await deps.repay([changed]);
  return read(deps, changed);
}

/** A ledger that is away is told by the expiry sweep, which never releases against the document. */
async function settle({ ledger }: ChangeOrderDeps, { id, saleId }: Order): Promise<void> {
  await ledger.settle(saleId, [id]).catch(() => undefined);
}

const read = async ({ orders }: ChangeOrderDeps, order: Order): Promise<Order> =>
  (await orders.findByIds([order.id]))[0] ?? order;
