import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import { createLogger } from '@quicksale/shared/log';
import { createMemoryOrderStore, orderFromHold, type OrderFacts } from '@quicksale/shared/orders';
import { createSystemRandom } from '@quicksale/shared/process';
import type { HoldRecord, ReserveReply, ReserveRequest } from '@quicksale/shared/stock-ledger';
import { givenHold, newId } from '@quicksale/shared/testing';
import type { ShipOutcome } from '../outbox/ship-units.ts';
import type { HouseOrderRequest } from './house-order-request.ts';
import { placeHouseOrder, type PlaceHouseOrderDeps } from './place-house-order.ts';

const saleId = newId();
const product: CatalogueProduct = {
  id: newId(),
  // In another sale by now: the house says itself which sale it takes from.
  saleId: newId(),
  saleChangedAt: new Date(0),
  merchantId: saleId,
  sku: 'SKU-1',
  name: 'Lamp',
  currency: 'EUR',
  archived: true,
};
const request: HouseOrderRequest = {
  operationId: 'allot:1',
  saleId,
  by: newId(),
  reason: 'allotment',
  items: [{ productId: product.id, quantity: 2 }],
  to: newId(),
};

/** What reserve.lua would write for a request. */
const recordOf = (wanted: ReserveRequest): HoldRecord => ({
  ...givenHold().record,
  orderId: wanted.orderId,
  kind: 'house',
  userId: wanted.userId,
  units: { [product.id]: [1, 2] },
  facts: wanted.facts,
});

describe('placing an order of the house', () => {
  let replies: ((wanted: ReserveRequest) => ReserveReply)[];
  let requests: ReserveRequest[];
  let steps: string[];
  let catalogueReads: (string[] | 'forget')[];
  let known: CatalogueProduct[][];
  let holds: PlaceHouseOrderDeps['holds'];
  let shipped: ShipOutcome;
  let orders: ReturnType<typeof createMemoryOrderStore>;
  let deps: PlaceHouseOrderDeps;

  beforeEach(() => {
    replies = [(wanted) => ({ status: 'reserved', record: recordOf(wanted) })];
    requests = [];
    steps = [];
    catalogueReads = [];
    known = [[product], [product]];
    holds = { readHolds: async () => ({ epoch: 1, nowMs: 0, records: [] }) };
    shipped = 'shipped';
    orders = createMemoryOrderStore();
    let number = 0;
    deps = {
      clock: { now: () => Date.UTC(2026, 0, 1) },
      random: createSystemRandom(),
      catalogue: {
        find: async (ids) => {
          catalogueReads.push([...ids]);
          return new Map((known.shift() ?? []).map((one) => [one.id, one]));
        },
        forget: () => void catalogueReads.push('forget'),
      },
      orders,
      ledger: {
        reserve: async (_saleId, wanted) => {
          steps.push('reserve');
          requests.push(wanted);
          const reply = replies.shift();
          if (!reply) throw new Error('one call too many');
          return reply(wanted);
        },
      },
      recorder: {
        record: async (hold) => {
          steps.push('record');
          const order = orderFromHold(hold.record, hold.saleId);
          await orders.insertMany([order]);
          return { kind: 'recorded', order, isNew: true };
        },
      },
      early: { recordLater: () => false },
      holds: { readHolds: (...args) => holds.readHolds(...args) },
      shipUnits: async (given) => {
        steps.push('ship');
        if (shipped === 'shipped')
          await orders.finishShipping(
            given.map(({ id, shipping = [] }) => ({ id, units: shipping })),
          );
        return new Map(given.map(({ id }) => [id, shipped]));
      },
      numbers: { take: async () => `ORD-2026-${(number += 1)}`, giveBack: () => undefined },
      log: createLogger({ service: 'test', level: 'silent' }),
    };
  });

  it('reserves, records and ships, and only then is it done', async () => {
    const result = await placeHouseOrder(deps, request);
    expect(steps).toEqual(['reserve', 'record', 'ship']);
    const [wanted] = requests;
    expect(result).toEqual({ status: 'done', orderId: wanted?.orderId, units: 2 });
    expect(wanted).toMatchObject({ kind: 'house', userId: request.by, items: request.items });
    expect(JSON.parse(wanted?.facts ?? '') as OrderFacts).toMatchObject({
      saleId,
      currency: 'EUR',
      key: 'allot:1',
      items: [{ productId: product.id, sku: 'SKU-1', name: 'Lamp', quantity: 2 }],
      house: { by: request.by, reason: 'allotment', to: request.to },
    });
  });

  it.each([
    ['fenced', 'fenced'],
    ['later', 'not_shipped'],
  ] as const)(
    'is not done while its shipping is %s, and goes on when asked again',
    async (outcome, status) => {
      shipped = outcome;
      expect(await placeHouseOrder(deps, request)).toEqual({ status });
      shipped = 'shipped';
      const result = await placeHouseOrder(deps, request);
      expect(result).toMatchObject({ status: 'done', orderId: requests[0]?.orderId });
      expect(steps).toEqual(['reserve', 'record', 'ship', 'ship']);
    },
  );

  it('does nothing more once it is done', async () => {
    const first = await placeHouseOrder(deps, request);
    steps = [];
    expect(await placeHouseOrder(deps, request)).toEqual(first);
    expect(steps).toEqual([]);
  });

  it('refuses the operation id of another order', async () => {
    await placeHouseOrder(deps, request);
    const other = { ...request, reason: 'damage' as const };
    expect(await placeHouseOrder(deps, other)).toEqual({ status: 'key_reused' });
    expect(requests).toHaveLength(1);
  });

  it('takes nothing while MongoDB is known to be away', async () => {
    deps.orders = { ...orders, isReachable: () => false };
    expect(await placeHouseOrder(deps, request)).toEqual({ status: 'not_recorded' });
    expect(steps).toEqual([]);
  });

  it('ships nothing that may not be recorded', async () => {
    deps.recorder = { record: async () => ({ kind: 'not-recorded' }) };
    expect(await placeHouseOrder(deps, request)).toEqual({ status: 'not_recorded' });
    expect(steps).toEqual(['reserve']);
  });

  it('looks twice for a product that was made just now', async () => {
    known = [[], [product]];
    expect(await placeHouseOrder(deps, request)).toMatchObject({ status: 'done' });
    expect(catalogueReads).toEqual([[product.id], 'forget', [product.id]]);
  });

  it('takes nothing of a product that nobody knows', async () => {
    known = [];
    expect(await placeHouseOrder(deps, request)).toEqual({
      status: 'unknown_product',
      productId: product.id,
    });
    expect(steps).toEqual([]);
  });

  describe('of a bare hold', () => {
    const [holdId, holdUserId, other] = [newId(), newId(), newId()];
    const confirm: HouseOrderRequest = { ...request, holdId, holdUserId };

    it("is booked on the hold's owner and names all that the hold has", async () => {
      const { record } = givenHold();
      const units = { [product.id]: [1, 2], [other]: [7] };
      holds = { readHolds: async () => ({ epoch: 1, nowMs: 0, records: [{ ...record, units }] }) };
      expect(await placeHouseOrder(deps, confirm)).toMatchObject({ status: 'done' });
      expect(requests).toMatchObject([
        { userId: holdUserId, holdId, holdProductIds: [product.id, other] },
      ]);
    });

    it('leaves it to the ledger to say that it is gone: the key may have been used before', async () => {
      holds = { readHolds: async () => ({ epoch: 1, nowMs: 0, records: [undefined] }) };
      replies = [() => ({ status: 'hold_gone' })];
      expect(await placeHouseOrder(deps, confirm)).toEqual({ status: 'hold_gone' });
      expect(requests).toMatchObject([{ holdId, holdProductIds: [] }]);
    });

    it('is refused while the ledger cannot be read', async () => {
      holds = { readHolds: async () => 'fenced' };
      expect(await placeHouseOrder(deps, confirm)).toEqual({ status: 'fenced' });
      expect(steps).toEqual([]);
    });
  });
});
