import type { Clock, Random } from '@quicksale/shared/process';
import { finishProduct, type FinishDeps } from './finish-product.ts';
import { draftProduct, type NewProduct, type Product } from './product.ts';

export interface CreateDeps extends FinishDeps {
  clock: Clock;
  random: Random;
}

export type Creation =
  | { kind: 'created'; product: Product }
  /** The merchant has this SKU, perhaps by an earlier try of this very request. */
  | { kind: 'sku-taken'; productId: string };

/** Makes a product and brings it into the ledger. When that fails midway a runner goes on. */
export async function createProduct(deps: CreateDeps, given: NewProduct): Promise<Creation> {
  const nowMs = deps.clock.now();
  const product = draftProduct(given, {
    id: deps.random.objectId(nowMs),
    at: new Date(nowMs),
  });
  const inserted = await deps.products.insert(product);
  if (inserted !== 'inserted') return { kind: 'sku-taken', productId: inserted.skuTakenBy };
  await finishProduct(deps, product);
  return { kind: 'created', product };
}
