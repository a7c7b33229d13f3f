import type { CatalogueProduct } from './catalogue.ts';

type Sold = Pick<CatalogueProduct, 'saleId' | 'archived'>;

export type SaleOfItems<P extends Sold> =
  /** Products in the order in which they were named. */
  | { status: 'found'; saleId: string; products: P[] }
  | { status: 'mixed_sales' }
  | { status: 'unknown_product'; productId: string };

/** The one sale that all these products are sold in. An archived product is sold nowhere. */
export function saleOfItems<P extends Sold>(
  known: ReadonlyMap<string, P>,
  items: readonly { productId: string }[],
): SaleOfItems<P> {
  const products: P[] = [];
  for (const { productId } of items) {
    const product = known.get(productId);
    if (!product || product.archived) return { status: 'unknown_product', productId };
    products.push(product);
  }
  const [first] = products;
  if (!first || products.some(({ saleId }) => saleId !== first.saleId))
    return { status: 'mixed_sales' };
  return { status: 'found', saleId: first.saleId, products };
}
