import type { ListedProduct } from './listing.ts';
import type { Product, ProductChange } from './product.ts';

/** Products in MongoDB. Everything throws AppError `dependency-unavailable` when it is away. */
export interface ProductStore {
  /** A merchant has one product per SKU. Inserting the same product again is harmless. */
  insert(product: Product): Promise<'inserted' | { skuTakenBy: string }>;
  findById(id: string): Promise<Product | undefined>;
  /** Those that there are, in any order. */
  findByIds(ids: readonly string[]): Promise<Product[]>;
  /** All products that are not archived. */
  listShown(): Promise<ListedProduct[]>;
  /** Products that have changed since an instant, archived ones included. */
  listChangedSince(at: Date): Promise<(ListedProduct & { archived: boolean })[]>;
  /** Adds 1 to the version; resolves to the product as it is then, undefined when archived. */
  raiseVersion(id: string, at: Date): Promise<Product | undefined>;
  /**
   * Applies a change to this version of a product that is not archived, and adds 1 to it; undefined
   * when there is no such version any more. `pendingSince` marks a price that the ledger lacks.
   */
  change(
    product: Pick<Product, 'id' | 'version'>,
    change: ProductChange & { archived?: true; pendingSince?: Date },
    at: Date,
  ): Promise<Product | undefined>;
  /** What the ledger has to know of a merchant's products in the standing sale. */
  listLines(merchantId: string): Promise<{ productId: string; price: number; away: boolean }[]>;
  /**
   * Claims a product for a timed sale, once: a product is in one unfinished sale at a time. From then
   * on it is away from the standing sale.
   */
  claim(id: string, saleId: string, at: Date): Promise<'claimed' | 'taken'>;
  /** Lets go of what was read, with its claim; harmless when somebody has changed it since. */
  dropClaim(product: Pick<Product, 'id' | 'version'>, at: Date): Promise<void>;
  /**
   * Lets this version of a product be sold in the sale that has claimed it, at its price, or in the
   * standing sale again (without `salePrice`); false when there is no such version any more.
   */
  moveToSale(
    product: Product,
    to: { saleId: string; salePrice?: number },
    at: Date,
  ): Promise<boolean>;
  /** Products that the ledger has lacked, or the price of, since before `before`. */
  findPending(before: Date, limit: number): Promise<Product[]>;
  /** Does nothing when the product has changed: then there may be more to bring to the ledger. */
  markFinished(product: Pick<Product, 'id' | 'version'>): Promise<void>;
}
