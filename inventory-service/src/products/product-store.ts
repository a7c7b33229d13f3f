import type { Product } from './product.ts';

/** Products in MongoDB. Everything throws AppError `dependency-unavailable` when it is away. */
export interface ProductStore {
  /** A merchant has one product per SKU. Inserting the same product again is harmless. */
  insert(product: Product): Promise<'inserted' | { skuTakenBy: string }>;
  findById(id: string): Promise<Product | undefined>;
  /** Adds 1 to the version; resolves to the product as it is then, undefined when archived. */
  raiseVersion(id: string, at: Date): Promise<Product | undefined>;
  /** What the ledger has to know of all products of a sale. */
  listPrices(saleId: string): Promise<{ productId: string; price: number }[]>;
  /** Products whose creation began before `before` and is not finished. */
  findPending(before: Date, limit: number): Promise<Product[]>;
  markFinished(id: string): Promise<void>;
}
