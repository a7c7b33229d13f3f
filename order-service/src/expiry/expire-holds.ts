import type { Logger } from '@quicksale/shared/log';
import {
  applyFact,
  orderStatusEvent,
  type Order,
  type OrderChange,
  type OrderStore,
} from '@quicksale/shared/orders';
import { faultPoint, type Clock } from '@quicksale/shared/process';
import { unitNames, type LedgerEntry, type StockLedger } from '@quicksale/shared/stock-ledger';
import type { GroupRecorder } from '../intake/group-recorder.ts';
import type { Hold } from '../intake/record-holds.ts';
import type { Relay } from '../outbox/relay.ts';
import { marksOf, type Returned, type ReturnUnits } from '../outbox/release-units.ts';
import type { ExpiryMetrics } from './expiry-metrics.ts';

export interface ExpireHoldsDeps {
  ledger: Pick<StockLedger, 'readHolds' | 'release' | 'settle'>;
  orders: Pick<
    OrderStore,
    'isReachable' | 'findByIds' | 'applyChanges' | 'pullOutbox' | 'finishRelease'
  >;
  /** The one that intake uses: it bounds how much is written at a time. */
  recorder: Pick<GroupRecorder, 'record'>;
  returnUnits: ReturnUnits;
  relay: Pick<Relay, 'send'>;
  clock: Clock;
  metrics: ExpiryMetrics;
  log: Logger;
}

/** A hold past its deadline, and its order as it was read last. */
interface Overdue {
  hold: Hold;
  order: Order;
}

/** Rounds of deciding again when somebody else changes orders meanwhile. */
const mostRounds = 5;

/**
 * Ends what claimed holds stand for, as their orders say: an unpaid order expires, and then its units
 * go back; a paid one loses its deadline; one that is over already gets its release finished. The
 * ledger never takes back a unit that a document owns. Whatever cannot be done now stays due, and is
 * claimed again when the lease has ended.
 *
 * Resolves once the units can be sold again, to the rest of the work: marks and events, which may
 * wait until no more units do. If it gets lost, the outbox scan does it.
 */
export async function expireHolds(
  deps: ExpireHoldsDeps,
  entries: readonly LedgerEntry[],
): Promise<() => Promise<void>> {
  const ended: Ended = { overdue: [], returned: [] };
  const holds = await readOverdue(deps, entries);
  const isBare = ({ record }: Hold) => record.kind === 'bare';
  await releaseBare(deps, holds.filter(isBare));
  const ofOrders = holds.filter((hold) => !isBare(hold));
  if (ofOrders.length === 0 || !deps.orders.isReachable()) return async () => undefined;
  let open = await withOrders(deps, ofOrders);
  for (let round = 0; round < mostRounds && open.length > 0; round += 1)
    open = await decide(deps, open, ended);
  return async () => {
    announce(deps, ended.overdue);
    await deps.orders.finishRelease(marksOf(ended.returned));
  };
}

/** What a batch has come to, for its last steps. */
interface Ended {
  overdue: Overdue[];
  returned: Returned[];
}

/** Records that still have a deadline; one that was settled or has gone meanwhile needs nothing. */
async function readOverdue(
  deps: ExpireHoldsDeps,
  entries: readonly LedgerEntry[],
): Promise<Hold[]> {
  const ofSales = await Promise.all(
    bySale(entries).map(async ([saleId, ofSale]) => {
      const held = await deps.ledger.readHolds(
        saleId,
        ofSale.map(({ orderId }) => orderId),
      );
      // A fenced sale is left alone: its deadlines come again after the rebuild.
      return typeof held === 'string'
        ? []
        : held.records.flatMap((record) => (record ? [{ saleId, record }] : []));
    }),
  );
  return ofSales.flat().filter(({ record }) => record.expiresAt > 0);
}

/** A bare hold has no order that could say anything else. */
async function releaseBare(deps: ExpireHoldsDeps, holds: readonly Hold[]): Promise<void> {
  for (const [saleId, ofSale] of bySale(holds)) {
    const answers = await deps.ledger.release(
      saleId,
      ofSale.map(({ record }) => record),
    );
    ofSale.forEach(({ record }, index) => {
      if (answers[index] === 'released') noteReturned(deps, record.expiresAt);
    });
  }
}

/** The orders in one read; one that is not in MongoDB yet is recorded first. */
async function withOrders(deps: ExpireHoldsDeps, holds: readonly Hold[]): Promise<Overdue[]> {
  const found = await deps.orders.findByIds(holds.map(({ record }) => record.orderId));
  const byId = new Map(found.map((order) => [order.id, order]));
  const results = await Promise.allSettled(
    holds.map(async (hold) => {
      const known = byId.get(hold.record.orderId);
      if (known) return { hold, order: known };
      const outcome = await deps.recorder.record(hold);
      return outcome.kind === 'recorded' ? { hold, order: outcome.order } : undefined;
    }),
  );
  return results.flatMap((result) =>
    result.status === 'fulfilled' && result.value ? [result.value] : [],
  );
}

/** One round of compare-and-set; resolves to those that have to be looked at again. */
async function decide(
  deps: ExpireHoldsDeps,
  overdue: readonly Overdue[],
  ended: Ended,
): Promise<Overdue[]> {
  const expiring: (Overdue & { change: OrderChange })[] = [];
  const over: Overdue[] = [];
  const at = new Date(deps.clock.now());
  for (const one of overdue) {
    const outcome = applyFact(one.order, { type: 'expire', at });
    if (outcome.kind === 'changed') expiring.push({ ...one, change: outcome.change });
    else over.push(one);
  }
  const { matched } = await deps.orders.applyChanges(
    expiring.map(({ order, change }) => ({ id: order.id, change })),
  );
  if (matched > 0) faultPoint('after-expiry-written');
  await finish(deps, over, ended);
  if (matched === expiring.length) {
    await finish(deps, expiring.map(afterChange), ended);
    return [];
  }
  // Which of them had moved on is not known: what was written is found EXPIRED.
  const again = await deps.orders.findByIds(expiring.map(({ order }) => order.id));
  const byId = new Map(again.map((order) => [order.id, order]));
  return expiring.flatMap(({ hold, order }) => {
    const now = byId.get(order.id);
    return now ? [{ hold, order: now }] : [];
  });
}

/** The order as the write has left it, without reading it again. */
function afterChange({ hold, order, change }: Overdue & { change: OrderChange }): Overdue {
  const { units: _units, ...rest } = order;
  return {
    hold,
    order: {
      ...rest,
      ...change.state,
      history: [...order.history, change.historyEntry],
      releasing: [...(order.releasing ?? []), ...(change.release ?? [])],
      outbox: [...(order.outbox ?? []), ...(change.addOutbox ? [change.addOutbox] : [])],
    },
  };
}

/**
 * Brings the ledger in line with orders that the deadline has no say in any more: units that the
 * document does not own go back, and a hold whose units it owns loses its deadline.
 */
async function finish(
  deps: ExpireHoldsDeps,
  overdue: readonly Overdue[],
  ended: Ended,
): Promise<void> {
  const returned = await deps.returnUnits(
    overdue.map(({ hold: { saleId, record }, order }) => {
      const owned = new Set(order.units ?? []);
      const held = unitNames(saleId, record.units).filter((unit) => !owned.has(unit));
      return {
        id: order.id,
        saleId,
        releasing: [...new Set([...(order.releasing ?? []), ...held])],
      };
    }),
  );
  ended.returned.push(...returned);
  ended.overdue.push(...overdue);
  const cameBack = new Set(
    returned.filter(({ byThisCall }) => byThisCall).map(({ order }) => order.id),
  );
  for (const { hold, order } of overdue)
    if (order.status === 'EXPIRED' && cameBack.has(order.id))
      noteReturned(deps, hold.record.expiresAt);
  const keeping = overdue.filter(({ order }) => order.units?.length);
  for (const [saleId, ofSale] of bySale(keeping.map(({ hold }) => hold)))
    await deps.ledger.settle(
      saleId,
      ofSale.map(({ record }) => record.orderId),
    );
}

/** Events of expiries that are not known to be out: of this write, or of one whose writer died. */
function announce(deps: ExpireHoldsDeps, overdue: readonly Overdue[]): void {
  const waiting = overdue.flatMap(({ order }) => {
    const step = order.history.find(({ to }) => to === 'EXPIRED');
    const event = step && orderStatusEvent(order, order, step);
    return event && order.outbox?.some(({ id }) => id === event.id) ? [{ order, event }] : [];
  });
  deps.relay.send(
    waiting.map(({ event }) => event),
    () =>
      deps.orders.pullOutbox(
        waiting.map(({ order, event }) => ({ id: order.id, outboxIds: [event.id] })),
      ),
  );
}

const noteReturned = ({ clock, metrics }: ExpireHoldsDeps, deadline: number) =>
  metrics.noteReturned(clock.now() - deadline);

const bySale = <T extends { saleId: string }>(all: readonly T[]): [string, T[]][] => [
  ...Map.groupBy(all, ({ saleId }) => saleId),
];
