import type { Clock } from '@quicksale/shared/process';
import type { TimedSale } from './timed-sale.ts';
import type { TimedSaleStore } from './timed-sale-store.ts';

/** Somebody else has written the sale since it was read: read it again and decide anew. */
export class SaleChanged extends Error {
  constructor(saleId: string) {
    super(`Sale ${saleId} was changed meanwhile`);
    this.name = 'SaleChanged';
  }
}

/** While a sale is worked on, the runner leaves it alone for so long after each write. */
const workMs = 5_000;

/**
 * Writes a sale on which there is more to do, and keeps the runner off it for a while; should this
 * process die, the runner goes on. Throws SaleChanged.
 */
export const saveOpen = (
  deps: { timedSales: Pick<TimedSaleStore, 'save'>; clock: Clock },
  sale: TimedSale,
): Promise<TimedSale> => saveSale(deps, { ...sale, runAt: new Date(deps.clock.now() + workMs) });

/** Writes a sale; the runner comes at `runAt`, or not at all without one. Throws SaleChanged. */
export async function saveSale(
  { timedSales, clock }: { timedSales: Pick<TimedSaleStore, 'save'>; clock: Clock },
  sale: TimedSale,
): Promise<TimedSale> {
  const saved = await timedSales.save({ ...sale, updatedAt: new Date(clock.now()) });
  if (!saved) throw new SaleChanged(sale.id);
  return saved;
}
