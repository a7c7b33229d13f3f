import { AppError } from '@quicksale/shared/errors';
import { advanceSale, type AdvanceDeps } from './advance-sale.ts';
import { availableUnits } from './move-units.ts';
import {
  findRestock,
  restock,
  type ChangeRefusal,
  type Decision,
  type SaleChange,
  type WantedUnits,
} from './sale-changes.ts';
import { SaleChanged, saveOpen } from './save-sale.ts';
import type { TimedSale } from './timed-sale.ts';

export type ChangedSale = { kind: 'changed'; sale: TimedSale } | ChangeRefusal;

/** Rounds of deciding again because the sale was written meanwhile, most often by its own moves. */
const mostRounds = 20;

/**
 * Changes a sale: the decision is written first, then the ledger hears of it, from here or, should
 * this fail midway, from the runner. `read` brings the sale and throws when its caller may not change
 * it as it is. A change that has been made before is brought to its end once more.
 */
export async function changeSale(
  deps: AdvanceDeps,
  read: () => Promise<TimedSale>,
  change: SaleChange,
): Promise<ChangedSale> {
  const decided = await decide(deps, read, change);
  // Not within the rounds above: what has been written must not be decided once more.
  return decided.kind === 'next'
    ? { kind: 'changed', sale: await advanceSale(deps, decided.sale) }
    : decided;
}

/** Writes the decision, on the sale as it is then. */
async function decide(
  deps: AdvanceDeps,
  read: () => Promise<TimedSale>,
  change: SaleChange,
): Promise<Decision> {
  for (let round = 1; round <= mostRounds; round += 1) {
    const sale = await read();
    const decision = change(sale, deps.clock.now());
    if (decision.kind !== 'next' || decision.sale === sale) return decision;
    try {
      return { kind: 'next', sale: await saveOpen(deps, decision.sale) };
    } catch (error) {
      if (!(error instanceof SaleChanged)) throw error;
    }
  }
  throw new AppError('overloaded', { message: 'The sale keeps changing: try again' });
}

export type RestockedSale =
  ChangedSale | { kind: 'insufficient-stock'; productId: string; available: number };

/**
 * Moves further units of a product from the standing sale into a timed one, all or none. The wish is
 * written before anything moves, so a repeat without an id adds again, whatever came of the first.
 */
export async function restockSale(
  deps: AdvanceDeps,
  read: () => Promise<TimedSale>,
  wanted: WantedUnits,
): Promise<RestockedSale> {
  const { productId, units } = wanted;
  const sale = await read();
  // What is wrong in itself is said before anybody looks for units.
  const first = restock(wanted)(sale, deps.clock.now());
  if (first.kind !== 'next') return first;
  const available = await availableUnits(deps, { saleId: sale.merchantId, productId });
  if (available < units && !findRestock(sale, wanted.id))
    return { kind: 'insufficient-stock', productId, available };
  let goal = 0;
  const stockOf = ({ items }: TimedSale) =>
    items.find((item) => item.productId === productId)?.stock ?? 0;
  const changed = await changeSale(deps, read, (current, nowMs) => {
    const decision = restock(wanted)(current, nowMs);
    if (decision.kind === 'next') goal = stockOf(decision.sale);
    return decision;
  });
  // Somebody else was faster: the sale wants no more than it got.
  if (changed.kind === 'changed' && stockOf(changed.sale) < goal)
    return { kind: 'insufficient-stock', productId, available };
  return changed;
}
