import { unavailable } from '@quicksale/shared/errors';
import type { Clock } from '@quicksale/shared/process';
import type { ShownStock, StockLedger } from '@quicksale/shared/stock-ledger';
import { requireDone } from '../ledger-answers.ts';
import { finishProduct, type FinishDeps } from '../products/finish-product.ts';
import type { Product } from '../products/product.ts';
import { followMovement, type FollowMovementDeps } from './follow-movement.ts';
import type { HouseOrders } from './house-orders.ts';
import type { MovementStore } from './movement.ts';

export interface SetStockDeps extends FinishDeps, Omit<FollowMovementDeps, 'ledger'> {
  movements: FinishDeps['movements'] & Pick<MovementStore, 'append' | 'lastUnit'>;
  houseOrders: HouseOrders;
  ledger: FinishDeps['ledger'] & Pick<StockLedger, 'shownStock'>;
  clock: Clock;
}

export type StockSet =
  | { kind: 'set'; product: Product }
  /** Somebody changed it, or its stock, since it was read. */
  | { kind: 'version-conflict' }
  /** Units that are held or ordered cannot be taken away. */
  | { kind: 'insufficient-stock'; available: number };

/** Units of one order of the house. */
const unitsPerOrder = 1_000;

/**
 * Sets how many units of a product there are in the sale that it is sold in: a movement or orders of
 * the house for the difference. The version is taken first, so of two who have read the same stock
 * one is refused; and whatever dies here, that version cannot be used again. Units that come or go
 * raise the version before the ledger shows them: what was read in between has the new version and
 * the old number, so `readStock`, when given, has to be the number still.
 */
export async function setStock(
  deps: SetStockDeps,
  given: { product: Product; stock: number; readStock?: number; by: string },
): Promise<StockSet> {
  if (given.product.pendingSince) await finishProduct(deps, given.product);
  const product = await deps.products.change(given.product, {}, new Date(deps.clock.now()));
  if (!product) return { kind: 'version-conflict' };
  const now = await currentStock(deps, product);
  if (given.readStock !== undefined && given.readStock !== now.stock)
    return { kind: 'version-conflict' };
  const difference = given.stock - now.stock;
  if (-difference > now.available) return { kind: 'insufficient-stock', available: now.available };
  const operation = `stock:${product.id}:${product.version}`;
  if (difference > 0) await bringIn(deps, product, difference, { operation, by: given.by });
  if (difference < 0)
    for (let taken = 0, order = 1; taken < -difference; taken += unitsPerOrder, order += 1) {
      const made = await deps.houseOrders.make({
        operationId: `${operation}:${order}`,
        saleId: product.saleId,
        by: given.by,
        reason: 'correction',
        items: [{ productId: product.id, quantity: Math.min(unitsPerOrder, -difference - taken) }],
      });
      // Buyers were faster.
      if (made.kind === 'insufficient-stock')
        return { kind: 'insufficient-stock', available: made.products[0]?.available ?? 0 };
    }
  return { kind: 'set', product };
}

/** The ledger's numbers once it has followed every movement that there is. */
async function currentStock(deps: SetStockDeps, { id, saleId }: Product): Promise<ShownStock> {
  requireDone(await deps.ledger.raise(saleId, id, await deps.movements.lastUnit(saleId, id)));
  const [stock] = await deps.ledger.shownStock([{ saleId, productId: id }]);
  if (!stock) throw unavailable('The stock ledger does not know the product yet');
  return stock;
}

async function bringIn(
  deps: SetStockDeps,
  product: Product,
  units: number,
  { operation, by }: { operation: string; by: string },
): Promise<void> {
  const movement = await deps.movements.append({
    id: operation,
    saleId: product.saleId,
    productId: product.id,
    units,
    reason: 'found',
    by,
    at: new Date(deps.clock.now()),
  });
  if (!(await followMovement(deps, movement)))
    throw unavailable('The new units wait for the ledger');
}
