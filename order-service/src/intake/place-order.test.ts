import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import { createLogger } from '@quicksale/shared/log';
import {
  createMemoryOrderStore,
  orderFromHold,
  requestFingerprint,
} from '@quicksale/shared/orders';
import { createSystemRandom } from '@quicksale/shared/process';
import type { HoldRecord, ReserveReply, ReserveRequest } from '@quicksale/shared/stock-ledger';
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
        reserve: async (_saleId, request) => {
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
});
