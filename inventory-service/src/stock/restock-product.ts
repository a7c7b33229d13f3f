import { faultPoint } from '@quicksale/shared/process';
import { finishProduct, type FinishDeps } from '../products/finish-product.ts';
import type { Product } from '../products/product.ts';
import { followMovement, type FollowMovementDeps } from './follow-movement.ts';
import type { Movement, MovementStore, restockReasons } from './movement.ts';

export interface RestockDeps extends FinishDeps, Omit<FollowMovementDeps, 'ledger'> {
  movements: Pick<MovementStore, 'insert' | 'append' | 'findById'>;
}

export interface Restock {
  operationId: string;
  product: Product;
  units: number;
  reason: (typeof restockReasons)[number];
  by: string;
}

export type Restocked =
  /** `isRaised`: the ledger has the units. If not, a runner brings them there. */
  | { kind: 'restocked'; product: Product; isRaised: boolean; isReplay: boolean }
  /** The operation id stands for units of another product, number or reason. */
  | { kind: 'key-reused' }
  | { kind: 'archived' };

/**
 * Adds units to a product in the sale that it is sold in. The movement is the commitment, the ledger
 * follows; the same operation id adds once. The product's version rises before the movement is
 * written: whoever has read an older one can no longer set an absolute stock, whatever dies here.
 */
export async function restockProduct(deps: RestockDeps, given: Restock): Promise<Restocked> {
  const { operationId, product, units, reason, by } = given;
  const earlier = await deps.movements.findById(operationId);
  if (earlier) return replay(deps, given, earlier);
  // Its first units are numbered from 1: they come first.
  if (product.pendingSince) await finishProduct(deps, product);
  const risen = await deps.products.raiseVersion(product.id, new Date(deps.clock.now()));
  if (!risen) return { kind: 'archived' };
  const movement = await deps.movements.append({
    id: operationId,
    saleId: risen.saleId,
    productId: product.id,
    units,
    reason,
    by,
    at: new Date(deps.clock.now()),
  });
  if (!isSame(movement, given)) return { kind: 'key-reused' };
  faultPoint('after-movement-written');
  const isRaised = await followMovement(deps, movement);
  return { kind: 'restocked', product: risen, isRaised, isReplay: false };
}

async function replay(deps: RestockDeps, given: Restock, movement: Movement): Promise<Restocked> {
  if (!isSame(movement, given)) return { kind: 'key-reused' };
  const isRaised = await followMovement(deps, movement);
  return { kind: 'restocked', product: given.product, isRaised, isReplay: true };
}

const isSame = (movement: Movement, { product, units, reason }: Restock) =>
  movement.productId === product.id &&
  movement.reason === reason &&
  movement.lastUnit - movement.firstUnit + 1 === units;
