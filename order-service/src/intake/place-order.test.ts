import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { requestFingerprint } from '@quicksale/shared/idempotency';
import { createMemoryOrderStore, orderFromHold } from '@quicksale/shared/orders';
import { createSystemRandom } from '@quicksale/shared/process';
import type {
  HoldRecord,
  KeyLookup,
  ReserveReply,
  ReserveRequest,
} from '@quicksale/shared/stock-ledger';
import { givenHold, newId } from '@quicksale/shared/testing';
import { placeOrder, type PlaceOrderDeps, type PlaceOrderInput } from './place-order.ts';
import type { Hold } from './record-holds.ts';

const saleId = newId();
const product: CatalogueProduct = {
  id: newId(),
  saleId,
  saleChangedAt: new Date(0),
  merchantId: saleId,
  sku: 'SKU-1',
  name: 'Lamp',
  currency: 'USD',
  archived: false,
};
const input: PlaceOrderInput = {
  userId: newId(),
  key: 'k-1',
  route: 'POST /api/orders',
  body: { items: [{ productId: product.id, quantity: 2 }] },
};

/** What reserve.lua would write for a request. */
const recordOf = (request: ReserveRequest): HoldRecord => ({
  ...givenHold().record,
  orderId: request.orderId,
  userId: request.userId,
  units: { [product.id]: [1, 2] },
  prices: { [product.id]: 4999 },
  facts: request.facts,
});

describe('placing an order', () => {
  let asked: string[];
  let lookups: Record<string, KeyLookup>;
  let holds: Record<string, HoldRecord>;
  let replies: ((request: ReserveRequest) => ReserveReply)[];
  let requests: ReserveRequest[];
  let recorded: Hold[];
  let givenBack: string[];
  let forgotten: string[];
  let deps: PlaceOrderDeps;
  const orders = createMemoryOrderStore();

  beforeEach(() => {
    replies = [(request) => ({ status: 'reserved', record: recordOf(request) })];
    requests = [];
    asked = [];
    lookups = {};
    holds = {};
    recorded = [];
    givenBack = [];
    forgotten = [];
    let number = 0;
    deps = {
      clock: { now: () => Date.UTC(2026, 0, 1) },
      random: createSystemRandom(),
      catalogue: {
        find: async (ids) =>
          new Map(ids.filter((id) => id === product.id).map((id) => [id, product])),
        forget: (id) => void forgotten.push(id),
      },
      orders,
      ledger: {
        readHolds: async (saleId, ids) => {
          asked.push(`holds ${saleId}`);
          return { epoch: 1, nowMs: 0, records: ids.map((id) => holds[id]) };
        },
        findKeys: async (places) => {
          asked.push(...places.map((place) => `key ${place.saleId}`));
          return places.map((place) => lookups[place.saleId] ?? 'unknown');
        },
        reserve: async (saleId, request) => {
          asked.push(`reserve ${saleId}`);
          requests.push(request);
          const reply = replies.shift();
          if (!reply) throw new Error('one call too many');
          return reply(request);
        },
      },
      recorder: {
        record: async (hold) => {
          recorded.push(hold);
          return { kind: 'recorded', order: orderFromHold(hold.record, hold.saleId), isNew: true };
        },
      },
      early: { recordLater: () => false },
      pricing: {
        termsOf: async () => undefined,
        takeDiscount: async () => ({ status: 'unknown_discount' }),
        giveBack: async () => undefined,
      },
      numbers: {
        take: async () => `ORD-2026-${(number += 1)}`,
        giveBack: (orderNumber) => void givenBack.push(orderNumber),
      },
      log: createLogger({ service: 'test', level: 'silent' }),
    };
  });

  it('reserves, records, then tells the buyer', async () => {
    const result = await placeOrder(deps, input);
    expect(result).toMatchObject({
      status: 'created',
      replayed: false,
      order: { orderNumber: 'ORD-2026-1', saleId, totalAmount: 9998, version: 1 },
    });
    expect(recorded).toHaveLength(1);
    expect(givenBack).toEqual([]);
  });

  it('freezes the terms of its merchant into the hold', async () => {
    const terms = { taxRate: 1_900, shipping: { flat: 490 } };
    const asked: string[] = [];
    deps.pricing.termsOf = async (merchantId) => {
      asked.push(merchantId);
      return terms;
    };
    const result = await placeOrder(deps, input);
    expect(result).toMatchObject({ order: { pricing: terms, totalAmount: 9998 + 1900 + 490 } });
    expect(JSON.parse(requests[0]?.facts ?? '')).toMatchObject({ pricing: terms });
    expect(asked).toEqual([product.merchantId]);
  });

  it('is not made at a price that cannot be told', async () => {
    deps.pricing.termsOf = () => Promise.reject(unavailable('away'));
    await expect(placeOrder(deps, input)).rejects.toMatchObject({ code: 'dependency-unavailable' });
    expect(requests).toEqual([]);
  });

  it('asks an earlier sale before it refuses a code', async () => {
    const earlierId = newId();
    const formerSales = [{ saleId: earlierId, leftAt: new Date(Date.UTC(2025, 11, 31, 23)) }];
    const moved = { ...product, formerSales };
    deps.catalogue.find = async () => new Map([[product.id, moved]]);
    const withCode = { ...input, body: { ...input.body, discountCode: 'gone' } };
    expect(await placeOrder(deps, withCode)).toEqual({ status: 'unknown_discount' });
    expect(asked).toEqual([`key ${earlierId}`]);
    lookups[earlierId] = 'known';
    const record = { ...givenHold().record, orderId: newId() };
    replies = [() => ({ status: 'replayed', orderId: record.orderId, recorded: true, record })];
    expect(await placeOrder(deps, withCode)).toMatchObject({
      ...{ status: 'created', replayed: true, order: { id: record.orderId } },
    });
  });

  it('takes nothing while MongoDB is known to be away', async () => {
    const away = { ...deps, orders: { ...orders, isReachable: () => false } };
    expect(await placeOrder(away, input)).toEqual({ status: 'not_recorded' });
    expect(requests).toEqual([]);
  });

  it('gives the number of a loser back', async () => {
    const soldOut: ReserveReply = {
      status: 'sold_out',
      products: [{ productId: product.id, available: 1 }],
    };
    replies = [() => soldOut];
    expect(await placeOrder(deps, input)).toEqual(soldOut);
    expect(givenBack).toEqual(['ORD-2026-1']);
    expect(recorded).toEqual([]);
  });

  describe('in a fast sale', () => {
    const fast = (request: ReserveRequest): HoldRecord => ({ ...recordOf(request), fast: true });

    it('tells the buyer before the order is written, again as well', async () => {
      const later: string[] = [];
      deps.early = { recordLater: ({ record }) => later.push(record.orderId) > 0 };
      replies = [(request) => ({ status: 'reserved', record: fast(request) })];
      const first = await placeOrder(deps, input);
      expect(first).toMatchObject({ status: 'created', replayed: false, order: { version: 1 } });
      const [request] = requests;
      if (!request) throw new Error('nothing was asked');
      const record = fast(request);
      replies = [() => ({ status: 'replayed', orderId: record.orderId, recorded: false, record })];
      expect(await placeOrder(deps, input)).toMatchObject({ status: 'created', replayed: true });
      expect(later).toEqual([record.orderId, record.orderId]);
      expect(recorded).toEqual([]);
    });

    it('has the buyer wait for the insert when too many are under way', async () => {
      replies = [(request) => ({ status: 'reserved', record: fast(request) })];
      expect(await placeOrder(deps, input)).toMatchObject({ status: 'created' });
      expect(recorded).toHaveLength(1);
    });

    describe('to which the product has just come', () => {
      const formerSale = newId();
      const askEarlier = () => ({ status: 'ask_earlier' }) as const;
      beforeEach(() => {
        const leftAt = new Date(deps.clock.now() - 1_000);
        const moved = { ...product, formerSales: [{ saleId: formerSale, leftAt }] };
        deps.catalogue = { ...deps.catalogue, find: async () => new Map([[product.id, moved]]) };
      });

      it('asks the sale that it left first, and takes units when nothing is known there', async () => {
        replies = [askEarlier, (request) => ({ status: 'reserved', record: fast(request) })];
        expect(await placeOrder(deps, input)).toMatchObject({
          status: 'created',
          order: { saleId },
        });
        expect(asked).toEqual([`reserve ${saleId}`, `key ${formerSale}`, `reserve ${saleId}`]);
        expect(requests.map(({ earlierUnasked }) => earlierUnasked)).toEqual([true, undefined]);
        expect(givenBack).toEqual(['ORD-2026-1']);
      });

      it('answers from there what is known there', async () => {
        lookups = { [formerSale]: 'known' };
        const { record } = givenHold({ saleId: formerSale });
        const replayed = { status: 'replayed', orderId: record.orderId, recorded: true } as const;
        replies = [askEarlier, () => ({ ...replayed, record })];
        expect(await placeOrder(deps, input)).toMatchObject({
          status: 'created',
          replayed: true,
          order: { id: record.orderId },
        });
        expect(asked).toEqual([`reserve ${saleId}`, `key ${formerSale}`, `reserve ${formerSale}`]);
      });

      it('takes nothing while that sale cannot be asked', async () => {
        lookups = { [formerSale]: 'fenced' };
        replies = [askEarlier];
        expect(await placeOrder(deps, input)).toEqual({ status: 'fenced' });
      });

      it('asks it once, also when the order is refused in the end', async () => {
        replies = [askEarlier, () => ({ status: 'sold_out', products: [] })];
        expect(await placeOrder(deps, input)).toMatchObject({ status: 'sold_out' });
        expect(asked.filter((one) => one.startsWith('key'))).toEqual([`key ${formerSale}`]);
      });
    });
  });

  it('keeps the number when the outcome is unknown', async () => {
    replies = [
      () => {
        throw new Error('connection lost');
      },
    ];
    await expect(placeOrder(deps, input)).rejects.toThrow('connection lost');
    expect(givenBack).toEqual([]);
  });

  it('answers a recorded replay from the record alone', async () => {
    const { record } = givenHold({ saleId });
    replies = [() => ({ status: 'replayed', orderId: record.orderId, recorded: true, record })];
    expect(await placeOrder(deps, input)).toMatchObject({
      status: 'created',
      replayed: true,
      order: { id: record.orderId },
    });
    expect(recorded).toEqual([]);
  });

  it('completes an order whose first request died before the insert', async () => {
    const { record } = givenHold({ saleId });
    replies = [() => ({ status: 'replayed', orderId: record.orderId, recorded: false, record })];
    expect(await placeOrder(deps, input)).toMatchObject({ status: 'created', replayed: true });
    expect(recorded).toEqual([{ saleId, record }]);
  });

  it('reads MongoDB when the record is gone', async () => {
    const hold = givenHold({ saleId });
    const order = {
      ...orderFromHold(hold.record, saleId),
      requestFingerprint: requestFingerprint(input.body),
    };
    await orders.insertMany([order]);
    replies = [() => ({ status: 'replayed', orderId: order.id, recorded: true })];
    expect(await placeOrder(deps, input)).toMatchObject({
      status: 'created',
      replayed: true,
      order: { id: order.id },
    });
  });

  it('replaces a dead key once', async () => {
    const dead = newId();
    replies.unshift(() => ({ status: 'replayed', orderId: dead, recorded: true }));
    expect(await placeOrder(deps, input)).toMatchObject({ status: 'created', replayed: false });
    expect(requests.map(({ replaces }) => replaces)).toEqual([undefined, dead]);
  });

  it('gives up for now when the key dies under its hands again', async () => {
    const dead = (): ReserveReply => ({ status: 'replayed', orderId: newId(), recorded: true });
    replies = [dead, dead];
    expect(await placeOrder(deps, input)).toEqual({ status: 'not_recorded' });
  });

  it('refuses a key whose forgotten order had another body', async () => {
    const other = orderFromHold(givenHold().record, saleId);
    deps.recorder = { record: async () => ({ kind: 'key-names-other', order: other }) };
    expect(await placeOrder(deps, input)).toEqual({ status: 'key_reused' });
  });

  it.each(['unknown_product', 'closed'] as const)(
    'looks the product up again after %s, once',
    async (status) => {
      const refusal = { status, productId: product.id } as ReserveReply;
      replies = [() => refusal, () => refusal];
      expect(await placeOrder(deps, input)).toMatchObject({ status });
      expect(forgotten).toEqual([product.id]);
      expect(requests).toHaveLength(2);
    },
  );

  it('knows no product that the catalogue does not have, and none that is archived', async () => {
    const items = [{ productId: newId(), quantity: 1 }];
    expect(await placeOrder(deps, { ...input, body: { items } })).toMatchObject({
      status: 'unknown_product',
    });
    deps.catalogue.find = async () => new Map([[product.id, { ...product, archived: true }]]);
    expect(await placeOrder(deps, input)).toMatchObject({ status: 'unknown_product' });
    expect(requests).toEqual([]);
  });

  it('does not mix sales in one order', async () => {
    const other = { ...product, id: newId(), saleId: newId() };
    deps.catalogue.find = async () =>
      new Map([
        [product.id, product],
        [other.id, other],
      ]);
    const items = [product.id, other.id].map((productId) => ({ productId, quantity: 1 }));
    expect(await placeOrder(deps, { ...input, body: { items } })).toEqual({
      status: 'mixed_sales',
    });
  });

  describe('that names a hold', () => {
    const hold = { saleId, recordId: newId() };
    const naming = { ...input, body: { ...input.body, holdId: hold } };
    const other = newId();

    it('tells the ledger all products of the hold', async () => {
      const units = { [product.id]: [1], [other]: [2] };
      holds[hold.recordId] = { ...givenHold().record, kind: 'bare', userId: input.userId, units };
      expect(await placeOrder(deps, naming)).toMatchObject({ status: 'created' });
      expect(requests).toMatchObject([
        { holdId: hold.recordId, holdProductIds: [product.id, other] },
      ]);
    });

    it('leaves the answer to the ledger when it is gone or not a hold of this buyer', async () => {
      const units = { [other]: [2] };
      const strange = [
        undefined,
        { ...givenHold().record, kind: 'bare' as const, userId: newId(), units },
        { ...givenHold().record, kind: 'order' as const, userId: input.userId, units },
      ];
      for (const record of strange) {
        holds = record ? { [hold.recordId]: record } : {};
        replies = [() => ({ status: 'hold_gone' })];
        expect(await placeOrder(deps, naming)).toEqual({ status: 'hold_gone' });
        expect(requests.at(-1)).toMatchObject({ holdId: hold.recordId, holdProductIds: [] });
      }
    });

    it('of another sale finds none, whatever record that id has here', async () => {
      holds[hold.recordId] = { ...givenHold().record, kind: 'bare', userId: input.userId };
      const elsewhere = { ...hold, saleId: newId() };
      replies = [() => ({ status: 'hold_gone' })];
      await placeOrder(deps, { ...input, body: { ...input.body, holdId: elsewhere } });
      expect(asked).toEqual([`reserve ${saleId}`]);
      expect(requests[0]?.holdId).toBe(`${elsewhere.saleId}${hold.recordId}`);
    });

    it('is another request than one that names none or another', async () => {
      for (const body of [
        input.body,
        naming.body,
        { ...naming.body, holdId: { ...hold, saleId: other } },
      ]) {
        replies = [() => ({ status: 'hold_gone' })];
        await placeOrder(deps, { ...input, body });
      }
      expect(new Set(requests.map(({ fingerprint }) => fingerprint)).size).toBe(3);
    });
  });

  describe('for a product that came from another sale', () => {
    const former = newId();
    const hoursMs = 3_600_000;
    const leftAt = (hoursAgo: number) => new Date(Date.UTC(2026, 0, 1) - hoursAgo * hoursMs);
    const givenFormer = (formerSales: CatalogueProduct['formerSales']) => {
      const moved = { ...product, ...(formerSales && { formerSales }) };
      deps.catalogue.find = async () => new Map([[product.id, moved]]);
    };
    const soldOut: ReserveReply = {
      status: 'sold_out',
      products: [{ productId: product.id, available: 0 }],
    };

    it('is answered where the key was used, before a refusal', async () => {
      givenFormer([{ saleId: former, leftAt: leftAt(1) }]);
      lookups[former] = 'known';
      const { record } = givenHold({ saleId: former });
      replies = [
        () => soldOut,
        () => ({ status: 'replayed', orderId: record.orderId, recorded: true, record }),
      ];
      expect(await placeOrder(deps, input)).toMatchObject({
        status: 'created',
        replayed: true,
        order: { id: record.orderId, saleId: former },
      });
      expect(asked).toEqual([`reserve ${saleId}`, `key ${former}`, `reserve ${former}`]);
      expect(givenBack).toHaveLength(2);
    });

    it.each<[ReserveReply, object]>([
      [{ status: 'key_reused' }, { status: 'key_reused' }],
      [{ status: 'fenced' }, { status: 'fenced' }],
      [{ status: 'not_admitted' }, { status: 'not_admitted' }],
      // The key is dead there, or ended meanwhile: the sale of today has spoken.
      [{ status: 'replayed', orderId: newId(), recorded: true }, soldOut],
      [{ status: 'unknown_product', productId: product.id }, soldOut],
    ])('takes %p of that sale', async (reply, result) => {
      givenFormer([{ saleId: former, leftAt: leftAt(1) }]);
      lookups[former] = 'known';
      replies = [() => soldOut, () => reply];
      expect(await placeOrder(deps, input)).toEqual(result);
    });

    it.each<ReserveReply>([
      soldOut,
      { status: 'limit', limit: 1, owned: 1 },
      { status: 'not_open', opensAtMs: 1 },
      { status: 'closed' },
      { status: 'paused' },
      { status: 'hold_gone' },
      { status: 'too_many_holds', most: 5 },
      { status: 'unknown_product', productId: product.id },
    ])('asks there before %p', async (refusal) => {
      givenFormer([{ saleId: former, leftAt: leftAt(23) }]);
      replies = [() => refusal, () => refusal];
      expect(await placeOrder(deps, input)).toEqual(refusal);
      expect(asked.at(-1)).toBe(`key ${former}`);
    });

    it('asks nobody when there is an order, or it can be asked again', async () => {
      givenFormer([{ saleId: former, leftAt: leftAt(1) }]);
      expect(await placeOrder(deps, input)).toMatchObject({ status: 'created' });
      for (const status of ['key_reused', 'fenced', 'unknown_sale', 'not_admitted'] as const) {
        replies = [() => ({ status })];
        expect(await placeOrder(deps, input)).toEqual({ status });
      }
      expect(asked.filter((call) => call.startsWith('key'))).toEqual([]);
    });

    it('asks no sale that it left more than a day ago', async () => {
      givenFormer([{ saleId: former, leftAt: leftAt(25) }]);
      lookups[former] = 'known';
      replies = [() => soldOut];
      expect(await placeOrder(deps, input)).toEqual(soldOut);
      expect(asked).toEqual([`reserve ${saleId}`]);
    });

    it.each<[KeyLookup, string]>([
      ['fenced', 'fenced'],
      ['unknown_sale', 'fenced'],
      ['not_admitted', 'not_admitted'],
    ])('a ledger there that is %s leaves it open', async (lookup, status) => {
      givenFormer([
        { saleId: newId(), leftAt: leftAt(2) },
        { saleId: former, leftAt: leftAt(1) },
      ]);
      lookups[former] = lookup;
      replies = [() => soldOut];
      expect(await placeOrder(deps, input)).toEqual({ status });
    });

    it('is found in the sale of today as well when no ledger was asked', async () => {
      const archived = { ...product, archived: true };
      deps.catalogue.find = async () => new Map([[product.id, archived]]);
      lookups[saleId] = 'known';
      const { record } = givenHold({ saleId });
      replies = [() => ({ status: 'replayed', orderId: record.orderId, recorded: true, record })];
      expect(await placeOrder(deps, input)).toMatchObject({ status: 'created', replayed: true });
      expect(asked).toEqual([`key ${saleId}`, `reserve ${saleId}`]);
    });
  });
});
