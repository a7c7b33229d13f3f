import type { Bus } from '@quicksale/shared/bus';
import type { OutgoingEvent } from '@quicksale/shared/contracts';
import { toAppError, type AppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import {
  orderCreatedEvent,
  orderStatusEvent,
  type Order,
  type OrderStore,
} from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { Repay } from '../orders/change-order.ts';
import type { ReleaseUnits } from './release-units.ts';
import type { ShipOutcome, ShipUnits } from './ship-units.ts';
import { stuckAfterMs } from './stuck-orders.ts';

export interface ScanOutboxDeps {
  orders: OrderStore;
  bus: Bus;
  clock: Clock;
  log: Logger;
  releaseUnits: ReleaseUnits;
  shipUnits: ShipUnits;
  repay: Repay;
  /** Messages that the consumers of the answers have not worked off yet. */
  backlog: () => Promise<number>;
}

const ordersPerRound = 200;
const firstIntervalMs = 5_000;
const longestIntervalMs = 600_000;
/** With more than this unread, the answer is probably among them: sending again adds to the heap. */
const mostBacklog = 1_000;

/**
 * Does again what a crash left undone after a step of an order: units that go back to the ledger or
 * leave it, money that goes back to the buyer, and events, doubling each order's interval. The entry of `order.created` goes with the
 * result that proves its arrival; those of `order.status` go once they are sent.
 */
export async function scanOutbox(deps: ScanOutboxDeps): Promise<void> {
  if (!deps.orders.isReachable()) return;
  const now = deps.clock.now();
  const due = await deps.orders.findOutboxDue(new Date(now), ordersPerRound);
  if (due.length === 0) return;
  const [moving, rest] = partition(due, (order) => movesUnits(order) || isRepaying(order));
  // Claimed before anything is done: another scanner then leaves them alone.
  await deps.orders.rescheduleOutbox(moving.map((order) => reschedule(order, now)));
  await deps.releaseUnits(
    moving.map(({ id, saleId, releasing }) => ({ id, saleId, releasing: releasing ?? [] })),
  );
  // Units and money need no Kafka, so they do not wait for it.
  reportStuck(deps, moving, now, await deps.shipUnits(moving));
  await deps.repay(moving.filter(isRepaying));
  const isLagging = await deps.backlog().then(
    (backlog) => backlog > mostBacklog,
    async (error: unknown) => {
      await putOff(deps, rest, now);
      throw error;
    },
  );
  if (isLagging) return putOff(deps, rest, now);
  await deps.orders.rescheduleOutbox(rest.map((order) => reschedule(order, now)));
  reportStuck(deps, rest, now);
  await sendAgain(deps, due);
}

/** An order is stuck when its last step was long ago and something of it is still to be done. */
function reportStuck(
  { log }: ScanOutboxDeps,
  orders: readonly Order[],
  now: number,
  shipped: ReadonlyMap<string, ShipOutcome> = new Map(),
): void {
  for (const order of orders) {
    if (now - order.updatedAt.getTime() <= stuckAfterMs) continue;
    const { shipping, ...rest } = order;
    const left = shipped.get(order.id) === 'shipped' ? rest : { ...rest, shipping };
    if (isOpen(left)) log.error({ orderId: order.id, status: order.status }, 'an order is stuck');
  }
}

/**
 * Each order in a call of its own, which the bus puts together again: an event that the broker never
 * takes is then the trouble of its own order.
 */
async function sendAgain(deps: ScanOutboxDeps, due: readonly Order[]): Promise<void> {
  const sends = due.map((order) => ({ order, events: outboxEvents(order) }));
  const open = sends.filter(({ events }) => events.length > 0);
  if (open.length === 0) return;
  const events = open.reduce((sum, one) => sum + one.events.length, 0);
  deps.log.warn({ orders: open.length, events }, 'sending outbox entries again');
  const results = await Promise.allSettled(open.map((one) => deps.bus.publish(one.events)));
  const sent = open.filter((_, index) => results[index]?.status === 'fulfilled');
  await deps.orders.pullOutbox(
    sent.flatMap(({ order }) => {
      const told = (order.outbox ?? []).filter(({ type }) => type === 'order.status.v1');
      return told.length > 0 ? [{ id: order.id, outboxIds: told.map(({ id }) => id) }] : [];
    }),
  );
  let away: AppError | undefined;
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    const error = toAppError(result.reason);
    const orderId = open[index]?.order.id;
    if (error.kind === 'unavailable') away = error;
    else deps.log.error({ err: error, orderId }, 'an event of an order is refused by the bus');
  }
  if (away) throw away;
}

type Marks = Partial<
  Record<'outbox' | 'releasing' | 'shipping', readonly unknown[] | undefined>
> & { repaying?: boolean };

const movesUnits = (order: Marks) => Boolean(order.releasing?.length || order.shipping?.length);

const isRepaying = ({ repaying = false }: Marks) => repaying;

const isOpen = (order: Marks) =>
  Boolean(order.outbox?.length) || movesUnits(order) || isRepaying(order);

const partition = (orders: readonly Order[], test: (order: Order) => boolean) =>
  [orders.filter(test), orders.filter((order) => !test(order))] as const;

function reschedule(order: Order, now: number) {
  const tries = (order.outboxTries ?? 0) + 1;
  const intervalMs = Math.min(firstIntervalMs * 2 ** tries, longestIntervalMs);
  return { order, tries, at: isOpen(order) ? new Date(now + intervalMs) : undefined };
}

/** Those that wait for Kafka make room in the batch for units and money; it counts as no try. */
const putOff = ({ orders }: ScanOutboxDeps, waiting: readonly Order[], now: number) =>
  orders.rescheduleOutbox(
    waiting.filter(isOpen).map((order) => ({
      ...{ order, tries: order.outboxTries ?? 0 },
      at: new Date(now + firstIntervalMs),
    })),
  );

function outboxEvents(order: Order): OutgoingEvent[] {
  return (order.outbox ?? []).flatMap((entry) => {
    if (entry.type === 'order.created.v1') return [orderCreatedEvent(order)];
    const step = order.history.find(({ version }) => version === entry.version);
    return step ? [orderStatusEvent(order, order, step)] : [];
  });
}
