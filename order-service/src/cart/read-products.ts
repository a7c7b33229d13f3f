import type { Catalogue, CatalogueProduct } from '@quicksale/shared/catalogue';
import type { PricedStock, StockLedger } from '@quicksale/shared/stock-ledger';

export interface ReadProductsDeps {
  catalogue: Catalogue;
  ledger: Pick<StockLedger, 'pricedStock'>;
}

/** A product as it is sold now. */
export interface SoldProduct extends CatalogueProduct {
  /** Null while its sale does not sell it. */
  offer: PricedStock | null;
}

/** Products that exist, with their prices and stock; the ledger is asked once for all of them. */
export async function readProducts(
  deps: ReadProductsDeps,
  productIds: readonly string[],
): Promise<Map<string, SoldProduct>> {
  const found = await readOnce(deps, productIds);
  const moved = [...found.values()].filter(({ offer, archived }) => !offer && !archived);
  if (moved.length === 0) return found;
  // They may be in another sale since their mapping was cached.
  for (const { id } of moved) deps.catalogue.forget(id);
  const again = await readOnce(
    deps,
    moved.map(({ id }) => id),
  );
  return new Map([...found, ...again]);
}

async function readOnce(
  { catalogue, ledger }: ReadProductsDeps,
  productIds: readonly string[],
): Promise<Map<string, SoldProduct>> {
  const known = [...(await catalogue.find(productIds)).values()];
  const offers = await ledger.pricedStock(
    known.map(({ saleId, id }) => ({ saleId, productId: id })),
  );
  return new Map(
    known.map((product, index) => [product.id, { ...product, offer: offers[index] ?? null }]),
  );
}
