import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  createListing,
  placeOf,
  sorts,
  wordsOf,
  type Listing,
  type ListedProduct,
  type ListingFilter,
} from './listing.ts';

const product = (id: string, over: Partial<ListedProduct> = {}): ListedProduct => ({
  id,
  saleId: 's',
  name: `Lamp ${id}`,
  category: 'Home',
  price: 100,
  ...over,
});

let listing: Listing;
beforeEach(() => {
  listing = createListing();
});

const ids = (filter: ListingFilter = {}, sort: (typeof sorts)[number] = 'newest') =>
  listing.find({ filter, sort, limit: 100 }).map(({ id }) => id);

describe('the order', () => {
  beforeEach(() => {
    listing.set(product('1', { price: 300, name: 'beta' }));
    listing.set(product('2', { price: 200, name: 'Alpha' }));
    listing.set(product('3', { price: 200, name: 'alpha' }));
    listing.set(product('4', { price: 9, name: 'Ångström' }));
  });

  it.each([
    ['newest', ['4', '3', '2', '1']],
    ['price', ['4', '2', '3', '1']],
    ['-price', ['1', '2', '3', '4']],
    ['name', ['2', '3', '1', '4']],
  ] as const)('%s', (sort, expected) => {
    expect(ids({}, sort)).toEqual(expected);
  });

  it('follows a change and forgets what is gone', () => {
    expect(ids({}, 'price')).toEqual(['4', '2', '3', '1']);
    listing.set(product('4', { price: 1_000 }));
    listing.delete('2');
    expect(ids({}, 'price')).toEqual(['3', '1', '4']);
  });
});

describe('pages', () => {
  it.each(sorts)('by %s have each product once, wherever they are cut', (sort) => {
    const count = 23;
    for (let index = 0; index < count; index += 1)
      listing.set(
        product(String(index).padStart(2, '0'), { price: index % 3, name: `n${index % 4}` }),
      );
    const whole = ids({}, sort);
    expect(new Set(whole).size).toBe(count);
    for (const limit of [1, 2, 7]) {
      const seen: string[] = [];
      let page = listing.find({ filter: {}, sort, limit });
      while (page.length > 0) {
        seen.push(...page.map(({ id }) => id));
        const last = page.at(-1);
        page = listing.find({ filter: {}, sort, limit, after: last && placeOf(sort, last) });
      }
      expect(seen).toEqual(whole);
    }
  });

  it('go on where they were, though what stood there is gone or elsewhere', () => {
    for (const id of ['1', '2', '3', '4']) listing.set(product(id, { price: Number(id) }));
    const after = placeOf('price', product('2', { price: 2 }));
    listing.delete('2');
    listing.set(product('1', { price: 9 }));
    const found = listing.find({ filter: {}, sort: 'price', after, limit: 9 });
    expect(found.map(({ id }) => id)).toEqual(['3', '4', '1']);
  });
});

describe('filters', () => {
  beforeEach(() => {
    listing.set(product('1', { name: 'Reading LAMP, brass', category: 'Home & Garden' }));
    listing.set(product('2', { name: 'Stehlampe Übergröße', category: 'Home', price: 50 }));
    listing.set(product('3', { name: 'USB-C cable 2m', category: 'Cables', price: 200 }));
  });

  it.each([
    ['lamp', ['1']],
    ['LAM rea', ['1']],
    ['stehl', ['2']],
    ['ÜBERG', ['2']],
    // A word is met from its beginning.
    ['lampe', []],
    ['garden', ['1']],
    ['usb c 2m', ['3']],
    ['ｕｓｂ', ['3']],
    ['.*', ['3', '2', '1']],
    ['lamp cable', []],
  ])('search "%s"', (search, expected) => {
    expect(ids({ words: wordsOf(search) })).toEqual(expected);
  });

  it('category is met as a whole, prices from and to', () => {
    expect(ids({ category: 'Home' })).toEqual(['2']);
    expect(ids({ minPrice: 100 })).toEqual(['3', '1']);
    expect(ids({ minPrice: 50, maxPrice: 100 })).toEqual(['2', '1']);
    expect(ids({ maxPrice: 49 })).toEqual([]);
  });
});
