import { AppError } from '@quicksale/shared/errors';
import type { ProductStore } from '../products/product-store.ts';
import { followMovement, type FollowMovementDeps } from './follow-movement.ts';
import type { MovementStore } from './movement.ts';

export interface ReceiveDeps extends FollowMovementDeps {
  products: Pick<ProductStore, 'raiseVersion'>;
  movements: Pick<MovementStore, 'append' | 'findById'>;
}

/** Units that an order of the house has taken out of one sale and brings into another. */
export interface MovedUnits {
  houseOrderId: string;
  /** The sale that they come into. */
  saleId: string;
  productId: string;
  units: number;
  by: string;
}

/**
 * Acknowledges units that moved: once the movement is written they have arrived, whenever the ledger
 * follows. Resolves to its id, the same for every repeat.
 */
export async function receiveUnits(deps: ReceiveDeps, moved: MovedUnits): Promise<string> {
  const { houseOrderId, saleId, productId, units, by } = moved;
  const at = new Date(deps.clock.now());
  const id = `${houseOrderId}:in`;
  const earlier = await deps.movements.findById(id);
  // Whoever has read the product before can no longer set an absolute stock.
  if (!earlier) await deps.products.raiseVersion(productId, at);
  const movement =
    earlier ??
    (await deps.movements.append({ id, saleId, productId, units, reason: 'allotment-in', by, at }));
  const isSame =
    movement.saleId === saleId &&
    movement.productId === productId &&
    movement.lastUnit - movement.firstUnit + 1 === units;
  if (!isSame)
    throw new AppError('internal', { cause: new Error(`Movement ${id} brought something else`) });
  await followMovement(deps, movement);
  return id;
}
