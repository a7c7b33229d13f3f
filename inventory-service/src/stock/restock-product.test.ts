import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { draftProduct, type Product } from '../products/product.ts';
import type { Movement } from './movement.ts';
import { restockProduct, type Restock, type RestockDeps } from './restock-product.ts';

const { pendingSince, ...finished } = draftProduct(
  {
    merchantId: 'm',
    sku: 's',
    name: 'n',
    description: '',
    category: 'c',
    price: 100,
    currency: 'USD',
    stock: 10,
  },
  { id: 'p', at: new Date(0) },
);
const product: Product = finished;
const order: Restock = { operationId: 'op', product, units: 5, reason: 'restock', by: 'm' };

let calls: string[];
let earlier: Movement | undefined;
let twin: Movement | undefined;
let raise: StockLedger['raise'];
let archived: boolean;
beforeEach(() => {
  [calls, earlier, twin, archived] = [[], undefined, undefined, false];
  raise = async () => 'raised';
});

const deps = {
  products: {
    listLines: async () => [],
    markFinished: async () => void calls.push('finished'),
    raiseVersion: async () => {
      calls.push('version');
      return archived ? undefined : { ...product, version: 2 };
    },
  } as unknown as RestockDeps['products'],
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
  movements: {
    insert: async ({ id }) => void calls.push(`insert ${id}`),
    findById: async () => earlier,
    append: async ({ units, ...arrival }) => {
      calls.push('append');
      return twin ?? { ...arrival, firstUnit: 11, lastUnit: 10 + units };
    },
  },
  timedSales: { wake: async (saleId, at) => void calls.push(`wake ${saleId} ${at.getTime()}`) },
  ledger: {
    putSale: async () => 'put',
    raise: async (...given) => {
      calls.push(`raise ${given[2]}`);
      return raise(...given);
    },
  },
  clock: { now: () => 1_000 },
  log: createLogger({ service: 'test', level: 'silent' }),
} satisfies RestockDeps;

const movement = (over: Partial<Movement> = {}): Movement => ({
  id: 'op',
  saleId: 'm',
  productId: 'p',
  firstUnit: 11,
  lastUnit: 15,
  reason: 'restock',
  by: 'm',
  at: new Date(0),
  ...over,
});

describe('restocking', () => {
  it('raises the version, then commits, then lets the ledger follow', async () => {
    expect(await restockProduct(deps, order)).toEqual({
      kind: 'restocked',
      product: { ...product, version: 2 },
      isRaised: true,
      isReplay: false,
    });
    // The units may come into a sale that is over.
    expect(calls).toEqual(['version', 'append', 'wake m 3000', 'raise 15', 'wake m 1000']);
  });

  it('a repeat adds nothing and only lets the ledger follow', async () => {
    earlier = movement();
    expect(await restockProduct(deps, order)).toMatchObject({ isReplay: true, isRaised: true });
    expect(calls).toEqual(['wake m 3000', 'raise 15', 'wake m 1000']);
  });

  it.each([
    ['more units', { lastUnit: 16 }],
    ['another product', { productId: 'q' }],
    ['another reason', { reason: 'found' as const }],
  ])('a key that stood for %s is refused, also when a twin was faster', async (_, over) => {
    earlier = movement(over);
    expect(await restockProduct(deps, order)).toEqual({ kind: 'key-reused' });
    [earlier, twin] = [undefined, movement(over)];
    expect(await restockProduct(deps, order)).toEqual({ kind: 'key-reused' });
    expect(calls).not.toContain('raise 15');
  });

  it('nothing is added to an archived product', async () => {
    archived = true;
    expect(await restockProduct(deps, order)).toEqual({ kind: 'archived' });
    expect(calls).toEqual(['version']);
  });

  it('a product whose creation was cut short gets its first units first', async () => {
    await restockProduct(deps, {
      ...order,
      product: { ...product, ...(pendingSince && { pendingSince }) },
    });
    expect(calls).toEqual([
      'insert p:initial',
      'raise 10',
      'finished',
      'version',
      'append',
      'wake m 3000',
      'raise 15',
      'wake m 1000',
    ]);
  });

  it.each([
    ['away', () => Promise.reject(unavailable('away'))],
    ['being checked', () => Promise.resolve('not_admitted' as const)],
    ['fenced', () => Promise.resolve('fenced' as const)],
  ])('with the ledger %s the units are committed all the same', async (_, answer) => {
    raise = answer;
    expect(await restockProduct(deps, order)).toMatchObject({ kind: 'restocked', isRaised: false });
  });

  it('a defect is not taken for an absent ledger', async () => {
    raise = () => Promise.reject(new Error('broken'));
    await expect(restockProduct(deps, order)).rejects.toThrow('broken');
  });
});
