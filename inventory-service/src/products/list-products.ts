import { unavailable } from '@quicksale/shared/errors';
import type { ShownStock, StockLedger } from '@quicksale/shared/stock-ledger';
import {
  placeOf,
  type ListedProduct,
  type Listing,
  type ListingFilter,
  type Place,
  type Sort,
} from './listing.ts';
import type { Product } from './product.ts';
import { readStock } from './product-answer.ts';
import type { ProductStore } from './product-store.ts';

export interface ListDeps {
  listing: () => Promise<Listing>;
  products: Pick<ProductStore, 'findByIds'>;
  ledger: Pick<StockLedger, 'shownStock'>;
}

export interface ListQuery {
  filter: ListingFilter;
  inStock?: boolean | undefined;
  sort: Sort;
  after?: Place | undefined;
  limit: number;
}

export interface ProductPage {
  products: { product: Product; stock: ShownStock | null }[];
  next: Place | undefined;
}

/** Products whose stock is looked at for one page of `inStock`. */
export const examinedAtMost = 500;

/**
 * One page: the listing finds it, the ledger tells all its stock in one round trip, one read by id
 * brings the products themselves. A page may be short, even empty, and still have a next one: only
 * so many products are examined for `inStock`, and one may have been archived meanwhile.
 */
export async function listProducts(deps: ListDeps, query: ListQuery): Promise<ProductPage> {
  const listing = await deps.listing();
  const page = query.inStock === undefined ? anyStock(listing, query) : inStock(listing, query);
  const { chosen, last, known } = await page(deps);
  const found = await deps.products.findByIds(chosen.map(({ id }) => id));
  const byId = new Map(found.map((product) => [product.id, product]));
  const shown = chosen.flatMap(({ id }) => {
    const product = byId.get(id);
    return product && !product.archived ? [product] : [];
  });
  const stock = known ? undefined : await readStock(deps.ledger, shown);
  return {
    products: shown.map((product, index) => ({
      product,
      stock: (known ? known.get(product.id) : stock?.[index]) ?? null,
    })),
    next: last && placeOf(query.sort, last),
  };
}

interface Choice {
  chosen: ListedProduct[];
  /** What the next page begins behind, when there may be one. */
  last: ListedProduct | undefined;
  known?: Map<string, ShownStock>;
}

type Choose = (deps: ListDeps) => Promise<Choice>;

const anyStock =
  (listing: Listing, query: ListQuery): Choose =>
  async () => {
    const found = listing.find({ ...query, limit: query.limit + 1 });
    const chosen = found.slice(0, query.limit);
    return { chosen, last: found.length > query.limit ? chosen.at(-1) : undefined };
  };

const inStock =
  (listing: Listing, query: ListQuery): Choose =>
  async ({ ledger }) => {
    const found = listing.find({ ...query, limit: examinedAtMost + 1 });
    const examined = found.slice(0, examinedAtMost);
    const stock = await readStock(ledger, examined);
    if (!stock) throw unavailable('The stock ledger is not reachable');
    const known = new Map<string, ShownStock>();
    const fitting = examined.filter(({ id }, index) => {
      const shown = stock[index];
      if (shown) known.set(id, shown);
      return shown ? shown.available > 0 === query.inStock : query.inStock === false;
    });
    const chosen = fitting.slice(0, query.limit);
    const end = fitting.length > query.limit ? chosen.at(-1) : examined.at(-1);
    const hasMore = fitting.length > query.limit || found.length > examined.length;
    return { chosen, last: hasMore ? end : undefined, known };
  };
