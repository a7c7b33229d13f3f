import type { Logger } from '@quicksale/shared/log';
import type { OrderStore } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import { unitsByProduct, type StockLedger } from '@quicksale/shared/stock-ledger';

/** An order that has given units up. */
export interface Releasing {
  id: string;
  saleId: string;
  releasing: readonly string[];
}

export type ReleaseUnits = (orders: readonly Releasing[]) => Promise<void>;

/** An order whose units the ledger has; `byThisCall` when it had not before. */
export interface Returned {
  order: Releasing;
  byThisCall: boolean;
}

export type ReturnUnits = (orders: readonly Releasing[]) => Promise<Returned[]>;

/** Orders of one ledger call. */
const ordersPerCall = 128;

/** Lets the ledger take units back that orders have given up; what it cannot take now is left out. */
export function createUnitReturn(deps: {
  ledger: Pick<StockLedger, 'release'>;
  log: Logger;
}): ReturnUnits {
  async function returnOfSale(saleId: string, orders: readonly Releasing[]): Promise<Returned[]> {
    const answers = await deps.ledger.release(
      saleId,
      orders.map(({ id, releasing }) => ({ orderId: id, units: unitsByProduct(releasing) })),
    );
    return orders.flatMap((order, index) => {
      const answer = answers[index];
      if (answer !== 'released' && answer !== 'already') return [];
      return [{ order, byThisCall: answer === 'released' }];
    });
  }

  return async (orders) => {
    const bySale = Map.groupBy(
      orders.filter(({ releasing }) => releasing.length > 0),
      ({ saleId }) => saleId,
    );
    const returned: Returned[] = [];
    for (const [saleId, ofSale] of bySale)
      for (let from = 0; from < ofSale.length; from += ordersPerCall) {
        const slice = ofSale.slice(from, from + ordersPerCall);
        try {
          returned.push(...(await returnOfSale(saleId, slice)));
        } catch (error) {
          logLater(deps.log, slice, error);
        }
      }
    return returned;
  };
}

/**
 * Lets the ledger take units back that orders have given up, then takes the marks off the orders.
 * Whatever cannot be done now keeps its mark, and the outbox scan comes again.
 */
export function createUnitReleaser(deps: {
  returnUnits: ReturnUnits;
  orders: Pick<OrderStore, 'finishRelease'>;
  log: Logger;
}): ReleaseUnits {
  return async (orders) => {
    const returned = await deps.returnUnits(orders);
    if (returned.length > 0) faultPoint('after-release');
    try {
      await deps.orders.finishRelease(marksOf(returned));
    } catch (error) {
      logLater(deps.log, orders, error);
    }
  };
}

/** The marks that the orders can lose. */
export const marksOf = (returned: readonly Returned[]) =>
  returned.map(({ order: { id, releasing } }) => ({ id, units: releasing }));

const logLater = (log: Logger, orders: readonly Releasing[], err: unknown) =>
  log.warn({ err, orders: orders.length }, 'units come back later');
