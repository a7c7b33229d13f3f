import { beforeEach, describe, expect, it } from '@jest/globals';
import { archiveProduct, changeProduct, type ChangeDeps } from './change-product.ts';
import { draftProduct, type Product } from './product.ts';

const { pendingSince, ...finished } = draftProduct(
  {
    merchantId: 'm',
    sku: 's',
    name: 'n',
    description: 'd',
    category: 'c',
    price: 100,
    currency: 'USD',
    stock: 0,
  },
  { id: 'p', at: new Date(0) },
);

let stored: Product;
let calls: unknown[];
/** What somebody else does before a write gets through. */
let interfere: () => void;
beforeEach(() => {
  [stored, calls, interfere] = [finished, [], () => undefined];
});

const deps = {
  products: {
    findById: async () => stored,
    change: async ({ version }: Product, change: object) => {
      interfere();
      if (version !== stored.version || stored.archived) return undefined;
      calls.push(change);
      stored = { ...stored, ...change, version: version + 1 };
      return stored;
    },
    listLines: async () => [{ productId: 'p', price: stored.price }],
    markFinished: async () => void calls.push('finished'),
  } as unknown as ChangeDeps['products'],
  sales: {
    find: async () => undefined,
    createStanding: async () => undefined,
    raiseSettingsVersion: async (id: string) => ({
      id,
      kind: 'standing' as const,
      settingsVersion: 1,
      ledgerReady: true,
    }),
    markPut: async () => undefined,
    listLedgerReady: async () => [],
  },
  movements: { insert: async () => undefined },
  ledger: {
    putSale: async (settings) => {
      calls.push(settings.products[0]?.price);
      return 'put';
    },
    raise: async () => 'already',
  },
  clock: { now: () => 7 },
} satisfies ChangeDeps;

describe('changing a product', () => {
  it('marks a new price in its own write, then brings it to the ledger', async () => {
    const changed = await changeProduct(deps, finished, { price: 90, name: 'N' });
    expect(changed).toMatchObject({ kind: 'changed', product: { price: 90, version: 2 } });
    expect(calls).toEqual([{ price: 90, name: 'N', pendingSince: new Date(7) }, 90, 'finished']);
  });

  it('leaves the ledger alone when the price stays', async () => {
    await changeProduct(deps, finished, { name: 'N', price: 100, originalPrice: null });
    expect(calls).toEqual([{ name: 'N' }]);
  });

  it('to what it is already makes no version, but ends what is on its way', async () => {
    expect(await changeProduct(deps, finished, { name: 'n' })).toMatchObject({
      kind: 'changed',
      product: { version: 1 },
    });
    expect(calls).toEqual([]);
    await changeProduct(deps, { ...finished, pendingSince: new Date(1) }, { price: 100 });
    expect(calls).toEqual([100, 'finished']);
    expect(pendingSince).toBeDefined();
  });

  it('does not touch the price of a timed sale', async () => {
    const inSale = { ...finished, claimedBy: 'sale' };
    expect(await changeProduct(deps, inSale, { price: 1 })).toEqual({ kind: 'product-in-sale' });
    expect(await changeProduct(deps, inSale, { name: 'N' })).toMatchObject({ kind: 'changed' });
  });
});

describe('archiving', () => {
  const rename = () => {
    stored = { ...stored, version: stored.version + 1 };
    interfere = () => undefined;
  };

  it('gives way to a change at the same time, unless a version was asked for', async () => {
    interfere = rename;
    expect(await archiveProduct(deps, finished, { thisVersionOnly: false })).toMatchObject({
      kind: 'changed',
      product: { archived: true, version: 3 },
    });
    stored = finished;
    interfere = rename;
    expect(await archiveProduct(deps, finished, { thisVersionOnly: true })).toEqual({
      kind: 'version-conflict',
    });
  });

  it('what is archived is done, and tries come to an end', async () => {
    const archived = { ...finished, archived: true };
    expect(await archiveProduct(deps, archived, { thisVersionOnly: true })).toEqual({
      kind: 'changed',
      product: archived,
    });
    interfere = () => {
      stored = { ...stored, version: stored.version + 1 };
    };
    expect(await archiveProduct(deps, finished, { thisVersionOnly: false })).toEqual({
      kind: 'version-conflict',
    });
  });
});
