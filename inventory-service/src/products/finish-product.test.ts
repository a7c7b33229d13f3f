import { beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import type { SaleSettings, StockLedger } from '@quicksale/shared/stock-ledger';
import { finishPending, finishProduct, type FinishDeps } from './finish-product.ts';
import { draftProduct, type Product } from './product.ts';

const productOf = (merchantId: string, stock = 3): Product =>
  draftProduct(
    {
      merchantId,
      sku: 's',
      name: 'n',
      description: '',
      category: 'c',
      price: 100,
      currency: 'USD',
      stock,
    },
    { id: `p-${merchantId}`, at: new Date(0) },
  );

type PutAnswer = Awaited<ReturnType<StockLedger['putSale']>>;
let calls: string[];
let pending: Product[];
let ledgerReady: boolean;
let putAnswers: Record<string, PutAnswer>;
let put: { settings: SaleSettings; create: boolean }[];

beforeEach(() => {
  [calls, pending, ledgerReady, putAnswers, put] = [[], [], false, {}, []];
});

const deps: FinishDeps = {
  products: {
    insert: async () => 'inserted',
    findById: async () => undefined,
    findByIds: async () => [],
    listShown: async () => [],
    listChangedSince: async () => [],
    raiseVersion: async () => undefined,
    change: async () => undefined,
    listLines: async (saleId) => {
      calls.push('prices');
      return [{ productId: `p-${saleId}`, price: 100, away: false }];
    },
    claim: async () => 'claimed',
    dropClaim: async () => undefined,
    moveToSale: async () => true,
    findPending: async (before) => {
      calls.push(`pending before ${before.getTime()}`);
      return pending;
    },
    markFinished: async ({ id }) => void calls.push(`finished ${id}`),
  },
  sales: {
    find: async () => undefined,
    createStanding: async () => void calls.push('sale'),
    raiseSettingsVersion: async (id) => {
      calls.push('version');
      return { id, kind: 'standing', settingsVersion: 4, ledgerReady };
    },
    markPut: async (_, version) => void calls.push(`ready ${version}`),
    listLedgerReady: async () => [],
  },
  movements: { insert: async ({ id, lastUnit }) => void calls.push(`${id} ${lastUnit}`) },
  ledger: {
    putSale: async (settings, create) => {
      calls.push('put');
      put.push({ settings, create });
      return putAnswers[settings.saleId] ?? 'put';
    },
    raise: async (_saleId, _productId, lastUnit) => {
      calls.push(`raise ${lastUnit}`);
      return 'raised';
    },
  },
};
const runner = {
  ...deps,
  clock: { now: () => 60_000 },
  log: createLogger({ service: 'test', level: 'silent' }),
};

describe('finishProduct', () => {
  it('does its steps in the order that makes a crash harmless', async () => {
    await finishProduct(deps, productOf('m'));
    expect(calls).toEqual([
      'sale',
      'version',
      'prices',
      'put',
      'ready 4',
      'p-m:initial 3',
      'raise 3',
      'finished p-m',
    ]);
    expect(put).toMatchObject([
      {
        create: true,
        settings: { saleId: 'm', settingsVersion: 4, products: [{ productId: 'p-m', price: 100 }] },
      },
    ]);
  });

  it('asks for a new sale only while the ledger was never told of it', async () => {
    ledgerReady = true;
    await finishProduct(deps, productOf('m', 0));
    expect(put[0]?.create).toBe(false);
    // No units, no movement; the line is made all the same.
    expect(calls.slice(-2)).toEqual(['raise 0', 'finished p-m']);
  });

  it.each([
    ['fenced', 'sale-fenced'],
    ['not_admitted', 'dependency-unavailable'],
  ] as const)('stops at "%s" before anything of the product is sellable', async (answer, code) => {
    putAnswers = { m: answer };
    await expect(finishProduct(deps, productOf('m'))).rejects.toMatchObject({ code });
    expect(calls.at(-1)).toBe('put');
  });
});

describe('finishPending', () => {
  it('a sale under repair does not keep the products of others waiting', async () => {
    pending = [productOf('broken'), productOf('sound')];
    putAnswers = { broken: 'fenced' };
    await finishPending(runner);
    expect(calls[0]).toBe('pending before 58000');
    expect(calls.filter((call) => call.startsWith('finished'))).toEqual(['finished p-sound']);
  });

  it('ends its round when the ledger is away', async () => {
    pending = [productOf('one'), productOf('two')];
    putAnswers = { one: 'not_admitted' };
    await expect(finishPending(runner)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(calls.filter((call) => call === 'put')).toHaveLength(1);
  });
});
