import type { Bus } from '@quicksale/shared/bus';
import type { OutgoingEvent } from '@quicksale/shared/contracts';
import type { Logger } from '@quicksale/shared/log';
import {
  orderCreatedEvent,
  orderStatusEvent,
  type Order,
  type OrderStore,
} from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { ReleaseUnits } from './release-units.ts';

export interface ScanOutboxDeps {
  orders: OrderStore;
  bus: Bus;
  clock: Clock;
  log: Logger;
  releaseUnits: ReleaseUnits;
  /** Messages that the consumers of the answers have not worked off yet. */
  backlog: () => Promise<number>;
}

const ordersPerRound = 200;
const firstIntervalMs = 5_000;
const longestIntervalMs = 600_000;
/** With more than this unread, the answer is probably among them: sending again adds to the heap. */
const mostBacklog = 1_000;
const stuckAfterMs = 3_600_000;

/**
 * Does again what a crash left undone after a step of an order: units that go back to the ledger, and
 * events, doubling each order's interval. The entry of `order.created` goes with the result that
 * proves its arrival; those of `order.status` go once they are sent.
 */
export async function scanOutbox(deps: ScanOutboxDeps): Promise<void> {
  if (!deps.orders.isReachable()) return;
  const now = deps.clock.now();
  const due = await deps.orders.findOutboxDue(new Date(now), ordersPerRound);
  if (due.length === 0) return;
  if ((await deps.backlog()) > mostBacklog) return;
  // Claimed before anything is done: another scanner then leaves them alone.
  await deps.orders.rescheduleOutbox(due.map((order) => reschedule(order, now)));
  await deps.releaseUnits(
    due.map(({ id, saleId, releasing }) => ({ id, saleId, releasing: releasing ?? [] })),
  );
  await sendAgain(deps, due);
  for (const order of due)
    if (isOpen(order) && now - order.createdAt.getTime() > stuckAfterMs)
      deps.log.error({ orderId: order.id, status: order.status }, 'an order is stuck');
}

async function sendAgain(deps: ScanOutboxDeps, due: readonly Order[]): Promise<void> {
  const events = due.flatMap(outboxEvents);
  if (events.length === 0) return;
  deps.log.warn({ orders: due.length, events: events.length }, 'sending outbox entries again');
  await deps.bus.publish(events);
  await deps.orders.pullOutbox(
    due.flatMap((order) => {
      const sent = (order.outbox ?? []).filter(({ type }) => type === 'order.status.v1');
      return sent.length > 0 ? [{ id: order.id, outboxIds: sent.map(({ id }) => id) }] : [];
    }),
  );
}

const isOpen = (order: Order) =>
  Boolean(order.outbox?.length || order.releasing?.length || order.shipping?.length);

function reschedule(order: Order, now: number) {
  const tries = (order.outboxTries ?? 0) + 1;
  const intervalMs = Math.min(firstIntervalMs * 2 ** tries, longestIntervalMs);
  return { order, tries, at: isOpen(order) ? new Date(now + intervalMs) : undefined };
}

function outboxEvents(order: Order): OutgoingEvent[] {
  return (order.outbox ?? []).flatMap((entry) => {
    if (entry.type === 'order.created.v1') return [orderCreatedEvent(order)];
    const step = order.history.find(({ version }) => version === entry.version);
    return step ? [orderStatusEvent(order, order, step)] : [];
  });
}
