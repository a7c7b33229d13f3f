import { beforeEach, describe, expect, it } from '@jest/globals';
import type { HoldRecord, ReserveReply, ReserveRequest } from '@quicksale/shared/stock-ledger';
import type { Product } from '../products/product.ts';
import { placeHold, type PlaceHoldDeps, type PlaceHoldInput } from './place-hold.ts';

const id = (n: number) => n.toString(16).padStart(24, '0');
const [sale, moved] = [id(0xa), id(0xb)];
const record = { orderId: id(77), expiresAt: 5 } as HoldRecord;
const input: PlaceHoldInput = {
  userId: id(9),
  key: '',
  route: 'POST /r',
  items: [{ productId: id(1), quantity: 2 }],
  ttlSeconds: 30,
};

let products: Partial<Product>[];
let replies: ReserveReply[];
let calls: { saleId: string; request: ReserveRequest }[];
let reads: number;
let counter: number;
beforeEach(() => {
  products = [{ id: id(1), saleId: sale, archived: false }];
  replies = [];
  calls = [];
  reads = 0;
  counter = 100;
});

const deps: PlaceHoldDeps = {
  clock: { now: () => 0 },
  random: { objectId: () => id((counter += 1)), integer: () => 0 },
  products: {
    findByIds: async (ids) => {
      reads += 1;
      return products.filter((product) => ids.includes(product.id ?? '')) as Product[];
    },
  },
  ledger: {
    reserve: async (saleId, [request]) => {
      if (!request) throw new Error('no request');
      calls.push({ saleId, request });
      return [replies.shift() ?? { status: 'reserved', record }];
    },
  },
};

describe('putting units aside', () => {
  it('asks the ledger of the products for a bare hold with a deadline', async () => {
    expect(await placeHold(deps, input)).toEqual({
      status: 'held',
      saleId: sale,
      record,
      replayed: false,
    });
    expect(calls).toMatchObject([
      { saleId: sale, request: { kind: 'bare', ttlMs: 30_000, userId: id(9), items: input.items } },
    ]);
  });

  it('without a key is another hold each time, with one the same', async () => {
    const keyed = { ...input, key: 'k' };
    for (const one of [input, input, keyed, keyed, { ...keyed, userId: id(8) }])
      await placeHold(deps, one);
    const [a, b, c, d, e] = calls.map(({ request }) => request.digest);
    expect(new Set([a, b, c, e]).size).toBe(4);
    expect(d).toBe(c);
    // What a client sends cannot be what stands for a missing key.
    await placeHold(deps, { ...input, key: calls[0]?.request.orderId ?? '' });
    expect(calls.at(-1)?.request.digest).not.toBe(a);
  });

  it('says what is another body under one key', async () => {
    for (const ttlSeconds of [30, 31]) await placeHold(deps, { ...input, key: 'k', ttlSeconds });
    expect(new Set(calls.map(({ request }) => request.fingerprint)).size).toBe(2);
  });

  it('answers a repeat with the hold that there is, or makes a new one', async () => {
    replies = [{ status: 'replayed', orderId: record.orderId, recorded: true, record }];
    expect(await placeHold(deps, input)).toMatchObject({ status: 'held', replayed: true });
    const gone: ReserveReply = { status: 'replayed', orderId: id(5), recorded: true };
    replies = [gone];
    expect(await placeHold(deps, input)).toMatchObject({ status: 'held', replayed: false });
    expect(calls.map(({ request }) => request.replaces)).toEqual([undefined, undefined, id(5)]);
    replies = [gone, gone];
    expect(await placeHold(deps, input)).toEqual({ status: 'busy' });
  });

  it.each<ReserveReply>([{ status: 'unknown_product', productId: id(1) }, { status: 'closed' }])(
    'reads the product again after %p, once',
    async (reply) => {
      replies = [reply];
      const find = deps.products.findByIds;
      const moving: PlaceHoldDeps = {
        ...deps,
        products: {
          findByIds: async (ids) => {
            const found = await find(ids);
            products = [{ id: id(1), saleId: moved, archived: false }];
            return found;
          },
        },
      };
      expect(await placeHold(moving, input)).toMatchObject({ status: 'held', saleId: moved });
      replies = [reply, reply];
      expect(await placeHold(deps, input)).toEqual(reply);
      expect(reads).toBe(4);
    },
  );

  it('asks no ledger for products of several sales or none', async () => {
    const items = [1, 2].map((n) => ({ productId: id(n), quantity: 1 }));
    products.push({ id: id(2), saleId: moved, archived: false });
    expect(await placeHold(deps, { ...input, items })).toEqual({ status: 'mixed_sales' });
    products[0] = { ...products[0], archived: true };
    expect(await placeHold(deps, input)).toEqual({ status: 'unknown_product', productId: id(1) });
    expect(calls).toEqual([]);
  });
});
