import type { Bus, Delivered } from '@quicksale/shared/bus';
import type { InventoryResult, OutgoingEvent } from '@quicksale/shared/contracts';
import { unavailable } from '@quicksale/shared/errors';
import {
  applyFact,
  asCreated,
  orderStatusEvent,
  type InventoryFact,
  type Order,
  type OrderChange,
  type OrderStore,
} from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';

export interface ApplyResultsDeps {
  orders: OrderStore;
  bus: Bus;
  /** Switches a repair off: what is applied already is announced no more. */
  repeatsNothing?: boolean;
}

type Result = Delivered<InventoryResult>;

/** Rounds of reading and deciding again, before the batch is left to come back. */
const mostRounds = 5;

/**
 * Folds results into orders: one compare-and-set for the whole batch on the version that nearly all
 * of them have, then a closer look at the rest. The status events go out before the batch counts as
 * done; a batch that comes again publishes the same events with the same ids.
 */
export async function applyResults(
  deps: ApplyResultsDeps,
  batch: readonly Result[],
): Promise<void> {
  const results = [...new Map(batch.map((result) => [result.data.orderId, result])).values()];
  const first = results.flatMap((result) => {
    const outcome = applyFact(asCreatedBy(result), factOf(result));
    return outcome.kind === 'changed' ? [{ result, change: outcome.change }] : [];
  });
  const { matched } = await deps.orders.applyChanges(
    first.map(({ result, change }) => ({ id: result.data.orderId, change })),
  );
  const { events, contradictions } =
    matched === results.length
      ? {
          events: first.map(({ result, change }) => statusEvent(result, change)),
          contradictions: [],
        }
      : await applyOneByOne(deps, results);
  if (matched > 0) faultPoint('after-status-written');
  await deps.bus.publish(events);
  if (contradictions.length > 0)
    throw new Error(`Rejected orders that have their units: ${contradictions.join(', ')}`);
}

/** Reads the orders and decides for each; repeats for those that somebody changed meanwhile. */
async function applyOneByOne(
  deps: ApplyResultsDeps,
  results: readonly Result[],
): Promise<{ events: OutgoingEvent[]; contradictions: string[] }> {
  const events: OutgoingEvent[] = [];
  const contradictions = new Set<string>();
  const served: { id: string; outboxIds: string[] }[] = [];
  let open = [...results];
  for (let round = 0; open.length > 0; round += 1) {
    if (round === mostRounds) throw unavailable('Orders keep changing under the processor');
    const found = await deps.orders.findByIds(open.map(({ data }) => data.orderId));
    const byId = new Map(found.map((order) => [order.id, order]));
    const changes: { id: string; change: OrderChange }[] = [];
    const next: Result[] = [];
    for (const result of open) {
      const order = byId.get(result.data.orderId);
      // A document that is not there yet comes with its order.created, which is sent again.
      if (!order) continue;
      const fact = factOf(result);
      const outcome = applyFact(order, fact);
      if (outcome.kind === 'changed') {
        changes.push({ id: order.id, change: outcome.change });
        next.push(result);
        continue;
      }
      if (contradicts(order, fact)) {
        contradictions.add(order.id);
        continue;
      }
      if (order.outbox?.some(({ id }) => id === fact.outboxId))
        served.push({ id: order.id, outboxIds: [fact.outboxId] });
      // The event may have been lost with the process that wrote this step: same event, same id.
      if (outcome.kind === 'already' && !deps.repeatsNothing)
        events.push(...repeatedEvent(order, fact));
    }
    await deps.orders.applyChanges(changes);
    // What was just written is found as `already` in the next round, and its event with it.
    open = next;
  }
  await deps.orders.pullOutbox(served);
  return { events, contradictions: [...contradictions] };
}

/**
 * Nobody rejects an order that owns its units: such a result is wrong, not late, and proves nothing.
 * It goes to the dead letters, and the outbox scan asks again.
 */
const contradicts = ({ units }: Order, { outcome }: InventoryFact) =>
  outcome === 'REJECTED' && Boolean(units?.length);

function repeatedEvent(order: Order, fact: InventoryFact): OutgoingEvent[] {
  const step = order.history.find(({ cause }) => cause === fact.cause);
  if (!step) return [];
  return [orderStatusEvent(order, { ...order, inventoryStatus: 'RESERVED' }, step)];
}

function statusEvent({ data }: Result, change: OrderChange): OutgoingEvent {
  return orderStatusEvent({ id: data.orderId, ...data }, change.state, change.historyEntry);
}

const factOf = ({ id, time, data }: Result): InventoryFact => ({
  type: 'inventory-result',
  cause: id,
  outboxId: data.causationId,
  outcome: data.outcome,
  paymentRequired: data.paymentRequired,
  at: new Date(time),
});

const asCreatedBy = ({ data }: Result) =>
  asCreated(data.orderId, data.paymentRequired ? 'PENDING' : 'NONE', data.causationId);
