import { describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { createFreshListing } from './fresh-listing.ts';
import { examinedAtMost, listProducts, type ListQuery } from './list-products.ts';
import { createListing, type ListedProduct, type Place } from './listing.ts';
import type { Product } from './product.ts';

const listed = (index: number): ListedProduct => ({
  id: String(index).padStart(24, '0'),
  saleId: 's',
  name: 'n',
  category: 'c',
  price: index,
});

/** Products 0..count-1; every tenth has stock, every seventh has just been archived. */
function given(count: number, options: { isLedgerAway?: boolean } = {}) {
  const all = Array.from({ length: count }, (_, index) => listed(index));
  const listing = createListing();
  for (const product of all) listing.set(product);
  const round: number[] = [];
  const shownStock: StockLedger['shownStock'] = async (asked) => {
    round.push(asked.length);
    if (options.isLedgerAway) throw unavailable('away');
    return asked.map(({ productId }) => {
      const available = Number(productId) % 10 === 0 ? 1 : 0;
      return { stock: 1, reserved: 1 - available, available };
    });
  };
  const deps = {
    listing: async () => listing,
    products: {
      findByIds: async (ids: readonly string[]) =>
        [...ids]
          .sort()
          .map((id) => ({ ...listed(Number(id)), archived: Number(id) % 7 === 6 }) as Product),
    },
    ledger: { shownStock },
  };
  async function readAll(query: Partial<ListQuery>) {
    const pages: number[][] = [];
    let after: Place | undefined;
    do {
      const page = await listProducts(deps, {
        filter: {},
        sort: 'price',
        limit: 4,
        ...query,
        after,
      });
      pages.push(page.products.map(({ product }) => Number(product.id)));
      after = page.next;
    } while (after);
    return pages;
  }
  return { deps, round, readAll };
}

describe('a page', () => {
  it('has its products in order with their stock, read in one round trip', async () => {
    const { readAll, round } = given(10);
    expect(await readAll({})).toEqual([
      [0, 1, 2, 3],
      [4, 5, 7],
      [8, 9],
    ]);
    expect(round).toEqual([4, 3, 2]);
    expect(await given(4).readAll({})).toEqual([[0, 1, 2, 3]]);
    expect(await given(0).readAll({})).toEqual([[]]);
  });

  it('of what is in stock examines a bounded number of products, in one round trip', async () => {
    const { readAll, round } = given(examinedAtMost + 30);
    const pages = await readAll({ inStock: true, limit: 100 });
    const expected = Array.from({ length: 53 }, (_, index) => index * 10).filter(
      (index) => index % 7 !== 6,
    );
    expect(pages.flat()).toEqual(expected);
    expect(round).toEqual([examinedAtMost, 30]);
  });

  it('of what is in stock goes on behind the last one shown', async () => {
    expect(await given(95).readAll({ inStock: true })).toEqual([
      [0, 10, 30],
      [40, 50, 60, 70],
      [80],
    ]);
    expect((await given(12).readAll({ inStock: false })).flat()).toEqual([
      1, 2, 3, 4, 5, 7, 8, 9, 11,
    ]);
  });

  it('without the ledger has no numbers, and cannot say what is in stock', async () => {
    const { deps } = given(2, { isLedgerAway: true });
    const query: ListQuery = { filter: {}, sort: 'newest', limit: 4 };
    expect((await listProducts(deps, query)).products).toMatchObject([
      { stock: null },
      { stock: null },
    ]);
    await expect(listProducts(deps, { ...query, inStock: true })).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
  });
});

describe('the fresh listing', () => {
  const idsOf = (listing: ReturnType<typeof createListing>) =>
    listing.find({ filter: {}, sort: 'price', limit: 9 }).map(({ price }) => price);

  it('reads everything once, then changes, shared by all who ask within its time', async () => {
    let nowMs = 1_000_000;
    const calls: string[] = [];
    let changes: (ListedProduct & { archived: boolean })[] = [];
    const current = createFreshListing({
      products: {
        listShown: async () => {
          calls.push('all');
          return [listed(1), listed(2)];
        },
        listChangedSince: async (at) => {
          calls.push(`since ${at.getTime()}`);
          return changes;
        },
      },
      clock: { now: () => nowMs },
    });
    const [first, second] = await Promise.all([current(), current()]);
    expect([idsOf(first), idsOf(second)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    nowMs += 499;
    await current();
    expect(calls).toEqual(['all']);
    nowMs += 1;
    changes = [
      { ...listed(3), archived: false },
      { ...listed(1), archived: true },
    ];
    expect(idsOf(await current())).toEqual([2, 3]);
    expect(calls).toEqual(['all', 'since 990000']);
    nowMs += 10 * 60_000;
    expect(idsOf(await current())).toEqual([1, 2]);
    expect(calls.at(-1)).toBe('all');
  });

  it('a failed read is told to who asked and tried again by the next', async () => {
    let isAway = true;
    const current = createFreshListing({
      products: {
        listShown: async () => {
          if (isAway) throw unavailable('away');
          return [listed(1)];
        },
        listChangedSince: async () => [],
      },
      clock: { now: () => 0 },
    });
    await expect(current()).rejects.toMatchObject({ kind: 'unavailable' });
    isAway = false;
    expect(idsOf(await current())).toEqual([1]);
  });
});
