/** What an order has to know of a product beside its price, which is the ledger's. */
export interface CatalogueProduct {
  id: string;
  /** The sale that it is sold in now. */
  saleId: string;
  /** When it came into that sale; orders of the last 24 h may have been made in another one. */
  saleChangedAt: Date;
  /** Sales that it was in before, as far as keys of orders made there may still be alive (24 h). */
  formerSales?: readonly { saleId: string; leftAt: Date }[];
  merchantId: string;
  sku: string;
  name: string;
  currency: string;
  archived: boolean;
}

/** Products by id, read-only and allowed to be somewhat stale. */
export interface Catalogue {
  /** Products that exist. Throws AppError `dependency-unavailable` when they cannot be read. */
  find(productIds: readonly string[]): Promise<Map<string, CatalogueProduct>>;
  /** Drops what is remembered of a product: it turned out to be wrong. */
  forget(productId: string): void;
}
