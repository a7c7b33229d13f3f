import type { Logger } from '@quicksale/shared/log';
import type { OrderStore } from '@quicksale/shared/orders';
import { unitsByProduct, type StockLedger } from '@quicksale/shared/stock-ledger';

/** An order that has given units up. */
export interface Releasing {
  id: string;
  saleId: string;
  releasing: readonly string[];
}

export type ReleaseUnits = (
  orders: readonly Releasing[],
  /** Told, as soon as the ledger has said so, which orders' units have come back by this very call. */
  onBack?: (orderIds: readonly string[]) => void,
) => Promise<void>;

/** Orders of one ledger call. */
const ordersPerCall = 128;

/**
 * Lets the ledger take units back that orders have given up, then takes the marks off the orders.
 * Whatever cannot be done now keeps its mark, and the outbox scan comes again.
 */
export function createUnitReleaser(deps: {
  ledger: Pick<StockLedger, 'release'>;
  orders: Pick<OrderStore, 'finishRelease'>;
  log: Logger;
}): ReleaseUnits {
  async function releaseOfSale(
    saleId: string,
    orders: readonly Releasing[],
    onBack?: Parameters<ReleaseUnits>[1],
  ): Promise<void> {
    const answers = await deps.ledger.release(
      saleId,
      orders.map(({ id, releasing }) => ({ orderId: id, units: unitsByProduct(releasing) })),
    );
    onBack?.(orders.filter((_, index) => answers[index] === 'released').map(({ id }) => id));
    const done = orders.filter((_, index) =>
      ['released', 'already'].includes(answers[index] ?? ''),
    );
    await deps.orders.finishRelease(done.map(({ id, releasing }) => ({ id, units: releasing })));
  }

  return async (orders, onBack) => {
    const bySale = Map.groupBy(
      orders.filter(({ releasing }) => releasing.length > 0),
      ({ saleId }) => saleId,
    );
    for (const [saleId, ofSale] of bySale)
      for (let from = 0; from < ofSale.length; from += ordersPerCall) {
        const slice = ofSale.slice(from, from + ordersPerCall);
        await releaseOfSale(saleId, slice, onBack).catch((error: unknown) => {
          deps.log.warn({ err: error, saleId, orders: slice.length }, 'units come back later');
        });
      }
  };
}
