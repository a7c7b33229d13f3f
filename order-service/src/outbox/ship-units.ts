import { toAppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { Order, OrderStore } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import { unitsByProduct, type StockLedger } from '@quicksale/shared/stock-ledger';
import type { StockArrivals } from './stock-arrivals.ts';

/** `fenced` and `later`: the mark stays, and the outbox scan comes again. */
export type ShipOutcome = 'shipped' | 'fenced' | 'later';

/** Resolves to what became of each order that had units to ship; never rejects. */
export type ShipUnits = (orders: readonly Order[]) => Promise<Map<string, ShipOutcome>>;

/** Bounds of one ledger call and of one write; a single order may be larger. */
const ordersPerCall = 100;
const unitsPerCall = 2_000;
/** An absent inventory-service costs a time limit each: asked for side by side, they share it. */
const arrivalsAtATime = 32;

/**
 * Lets units that are sold leave the ledger, has those that move to another sale arrive there, and
 * only then takes the marks off their orders: whatever a crash or an absent party leaves undone is
 * still marked, and each step may be done again.
 */
export function createUnitShipper(deps: {
  ledger: Pick<StockLedger, 'ship'>;
  arrivals: StockArrivals;
  orders: Pick<OrderStore, 'finishShipping'>;
  log: Logger;
}): ShipUnits {
  /** The orders of one sale whose units are gone from its ledger. */
  async function leaveSale(
    saleId: string,
    orders: readonly Order[],
    outcomes: Map<string, ShipOutcome>,
  ): Promise<Order[]> {
    const answers = await deps.ledger.ship(
      saleId,
      orders.map(({ id, shipping = [] }) => ({ orderId: id, units: unitsByProduct(shipping) })),
    );
    faultPoint('after-house-ship');
    return orders.filter(({ id }, index) => {
      const answer = answers[index];
      if (answer === 'fenced') outcomes.set(id, 'fenced');
      return answer === 'shipped' || answer === 'already';
    });
  }

  async function leave(
    orders: readonly Order[],
    outcomes: Map<string, ShipOutcome>,
  ): Promise<Order[]> {
    const left: Order[] = [];
    for (const [saleId, ofSale] of Map.groupBy(orders, (order) => order.saleId))
      for (const slice of slices(ofSale))
        try {
          left.push(...(await leaveSale(saleId, slice, outcomes)));
        } catch (error) {
          logTrouble(error, { saleId, orders: slice.length });
        }
    return left;
  }

  /** Whether the units of an order are where they are going; most go to a buyer. */
  async function hasArrived({ id, to, items, history }: Order): Promise<boolean> {
    const [item] = items;
    if (to === undefined || !item) return true;
    try {
      await deps.arrivals.arrive({
        houseOrderId: id,
        saleId: to,
        productId: item.productId,
        // All that the order took, whatever is still marked: a movement has one size for ever.
        units: item.quantity,
        by: history[0]?.by ?? '',
      });
      faultPoint('after-house-movement');
      return true;
    } catch (error) {
      logTrouble(error, { orderId: id, to });
      return false;
    }
  }

  async function arrive(orders: readonly Order[]): Promise<Order[]> {
    const arrived: Order[] = [];
    for (let from = 0; from < orders.length; from += arrivalsAtATime) {
      const slice = orders.slice(from, from + arrivalsAtATime);
      const answers = await Promise.all(slice.map(hasArrived));
      arrived.push(...slice.filter((_, index) => answers[index]));
    }
    return arrived;
  }

  async function takeMarksOff(
    orders: readonly Order[],
    outcomes: Map<string, ShipOutcome>,
  ): Promise<void> {
    for (const slice of slices(orders))
      try {
        await deps.orders.finishShipping(
          slice.map(({ id, shipping = [] }) => ({ id, units: shipping })),
        );
        for (const { id } of slice) outcomes.set(id, 'shipped');
      } catch (error) {
        logTrouble(error, { orders: slice.length });
      }
  }

  function logTrouble(error: unknown, where: object): void {
    const level = toAppError(error).kind === 'unavailable' ? 'warn' : 'error';
    deps.log[level]({ err: error, ...where }, 'units leave later');
  }

  return async (orders) => {
    const open = orders.filter(({ shipping }) => shipping?.length);
    const outcomes = new Map<string, ShipOutcome>(open.map(({ id }) => [id, 'later']));
    const left = await leave(open, outcomes);
    await takeMarksOff(await arrive(left), outcomes);
    return outcomes;
  };
}

/** Cut where either bound is reached; each slice has at least one order. */
function slices(orders: readonly Order[]): Order[][] {
  const all: Order[][] = [];
  let units = 0;
  for (const order of orders) {
    const count = order.shipping?.length ?? 0;
    const slice = all.at(-1);
    if (slice && slice.length < ordersPerCall && units + count <= unitsPerCall) {
      slice.push(order);
      units += count;
    } else {
      all.push([order]);
      units = count;
    }
  }
  return all;
}
