import type { Clock } from '@quicksale/shared/process';
import { finishProduct, type FinishDeps } from './finish-product.ts';
import type { Product, ProductChange } from './product.ts';

export interface ChangeDeps extends FinishDeps {
  clock: Clock;
}

export type Changed =
  | { kind: 'changed'; product: Product }
  /** Somebody changed it since it was read. */
  | { kind: 'version-conflict' }
  /** Its price is the one that a timed sale was made with. */
  | { kind: 'product-in-sale' };

/**
 * Changes what a merchant says of a product. A new price is marked in the very write that makes it,
 * so it reaches the ledger whatever dies here; until it has, this call does not succeed, because
 * buyers may still pay the old one.
 */
export async function changeProduct(
  deps: ChangeDeps,
  product: Product,
  given: ProductChange,
): Promise<Changed> {
  const change = withoutRepeats(product, given);
  if (Object.keys(change).length === 0) {
    // A price of before may still be on its way.
    if (product.pendingSince) await finishProduct(deps, product);
    return { kind: 'changed', product };
  }
  const isPriceNew = change.price !== undefined;
  if (isPriceNew && product.claimedBy) return { kind: 'product-in-sale' };
  const at = new Date(deps.clock.now());
  const changed = await deps.products.change(
    product,
    { ...change, ...(isPriceNew && { pendingSince: product.pendingSince ?? at }) },
    at,
  );
  if (!changed) return { kind: 'version-conflict' };
  if (isPriceNew) await finishProduct(deps, changed);
  return { kind: 'changed', product: changed };
}

/** A change to what is there already is none: it makes no version. */
function withoutRepeats(product: Product, given: ProductChange): ProductChange {
  return Object.fromEntries(
    Object.entries(given).filter(
      ([field, value]) => (product[field as keyof ProductChange] ?? null) !== value,
    ),
  );
}

/** How often an archiving that asks for no version gives way to other changes. */
const archiveTries = 10;

/**
 * Takes a product off the shelves for good; what was ordered is delivered. Buyers are refused once
 * order-service has read the catalogue again, a minute later at the latest.
 */
export async function archiveProduct(
  deps: Pick<ChangeDeps, 'clock' | 'products'>,
  product: Product,
  options: { thisVersionOnly: boolean },
): Promise<Changed> {
  let current: Product | undefined = product;
  for (let attempt = 1; current && attempt <= archiveTries; attempt += 1) {
    if (current.archived) return { kind: 'changed', product: current };
    const at = new Date(deps.clock.now());
    const archived = await deps.products.change(current, { archived: true }, at);
    if (archived) return { kind: 'changed', product: archived };
    if (options.thisVersionOnly) break;
    current = await deps.products.findById(product.id);
  }
  return { kind: 'version-conflict' };
}
