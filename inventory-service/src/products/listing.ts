/** What a list has to know of a product to find and order it; the rest is read page by page. */
export interface ListedProduct {
  id: string;
  saleId: string;
  name: string;
  category: string;
  /** Minor units. */
  price: number;
}

export const sorts = ['newest', 'price', '-price', 'name'] as const;
export type Sort = (typeof sorts)[number];

/** A place in a list: what it is ordered by there, then the id. Nothing has to be there any more. */
export type Place = readonly [key: string | number, id: string];

export interface ListingFilter {
  /** Each has to begin a word of name or category. */
  words?: readonly string[];
  category?: string;
  minPrice?: number;
  maxPrice?: number;
}

/** What products are ordered by. */
interface Ranked {
  id: string;
  price: number;
  nameKey: string;
}

interface Entry extends ListedProduct, Ranked {
  words: readonly string[];
}

const orders: Record<Sort, { key: (entry: Ranked) => string | number; idsAscend: boolean }> = {
  // Ids are made of the time.
  newest: { key: () => 0, idsAscend: false },
  price: { key: ({ price }) => price, idsAscend: true },
  '-price': { key: ({ price }) => -price, idsAscend: true },
  name: { key: ({ nameKey }) => nameKey, idsAscend: true },
};

const fold = (text: string) => text.normalize('NFKC').toLowerCase();

/** The words of a text, as they are compared. */
export const wordsOf = (text: string): string[] => fold(text).match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];

export interface Listing {
  set(product: ListedProduct): void;
  delete(id: string): void;
  /** At most `limit` products behind a place, in order. */
  find(options: {
    filter: ListingFilter;
    sort: Sort;
    after?: Place | undefined;
    limit: number;
  }): ListedProduct[];
}

/**
 * The catalogue in memory, as lists need it. The database at hand sorts all that matches, and buyers
 * who look around must not cost it what buyers who order need. An order is worked out when it is
 * asked for and kept until something changes; a page is a binary search and a walk.
 */
export function createListing(): Listing {
  const entries = new Map<string, Entry>();
  const sorted = new Map<Sort, readonly Entry[]>();

  function inOrder(sort: Sort): readonly Entry[] {
    const known = sorted.get(sort);
    if (known) return known;
    const made = [...entries.values()].sort((a, b) => compare(sort, a, placeIn(sort, b)));
    sorted.set(sort, made);
    return made;
  }

  return {
    set: (product) => {
      const known = entries.get(product.id);
      if (known && isSame(known, product)) return;
      const words = [...wordsOf(product.name), ...wordsOf(product.category)];
      entries.set(product.id, { ...product, nameKey: fold(product.name), words });
      sorted.clear();
    },
    delete: (id) => {
      if (entries.delete(id)) sorted.clear();
    },
    find: ({ filter, sort, after, limit }) => {
      const list = inOrder(sort);
      const found: Entry[] = [];
      let index = after ? firstBehind(list, sort, after) : 0;
      for (; index < list.length && found.length < limit; index += 1) {
        const entry = list[index];
        if (entry && matches(entry, filter)) found.push(entry);
      }
      return found;
    },
  };
}

/** Where a product stands as it was found. */
export const placeOf = (sort: Sort, { name, ...rest }: ListedProduct): Place =>
  placeIn(sort, { ...rest, nameKey: fold(name) });

const placeIn = (sort: Sort, entry: Ranked): Place => [orders[sort].key(entry), entry.id];

function compare(sort: Sort, entry: Entry, [key, id]: Place): number {
  const own = orders[sort].key(entry);
  if (own !== key) return own < key ? -1 : 1;
  if (entry.id === id) return 0;
  return entry.id < id === orders[sort].idsAscend ? -1 : 1;
}

function firstBehind(list: readonly Entry[], sort: Sort, place: Place): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = list[middle];
    if (entry && compare(sort, entry, place) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

const isSame = (a: ListedProduct, b: ListedProduct) =>
  a.saleId === b.saleId && a.name === b.name && a.category === b.category && a.price === b.price;

function matches(entry: Entry, { words = [], category, minPrice, maxPrice }: ListingFilter) {
  return (
    (category === undefined || entry.category === category) &&
    (minPrice === undefined || entry.price >= minPrice) &&
    (maxPrice === undefined || entry.price <= maxPrice) &&
    words.every((begin) => entry.words.some((word) => word.startsWith(begin)))
  );
}
