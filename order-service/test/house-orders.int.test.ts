import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { orderCreated } from '@quicksale/shared/contracts';
import { unavailable } from '@quicksale/shared/errors';
import { idempotencyDigest } from '@quicksale/shared/idempotency';
import { createMongoOrderStore } from '@quicksale/shared/orders';
import type { SaleSettings } from '@quicksale/shared/stock-ledger';
import { eventually, newId } from '@quicksale/shared/testing';
import type supertest from 'supertest';
import { mostHouseUnits } from '../src/house-orders/house-order-request.ts';
import type { ArrivingStock } from '../src/outbox/stock-arrivals.ts';
import { makeDue } from './make-due.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';

type HouseOrder = Parameters<OrderFixture['placeForHouse']>[0];
interface Sale {
  saleId: string;
  productId: string;
}

describe('orders of the house on real stores', () => {
  let fixture: OrderFixture;
  const movements: ArrivingStock[] = [];
  let inventoryIsThere = true;
  beforeAll(async () => {
    const arrive = async (movement: ArrivingStock) => {
      movements.push(movement);
      if (!inventoryIsThere) throw unavailable('inventory-service is away');
    };
    // Nothing but the orders here is to end a hold.
    const settings = { QUICKSALE_REPAIRS_OFF: 'expiry-sweep' };
    fixture = await startOrders(settings, { arrivals: { arrive } });
  }, 60_000);
  afterAll(() => fixture?.stop());
  beforeEach(() => {
    inventoryIsThere = true;
  });

  const wanted = ({ saleId, productId }: Sale, quantity: number, given = {}): HouseOrder => ({
    operationId: `damage:${newId()}`,
    saleId,
    by: newId(),
    reason: 'damage',
    items: [{ productId, quantity }],
    ...given,
  });

  async function counters({ saleId, productId }: Sale) {
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    return { ...snapshot.products[productId], records: snapshot.records.length };
  }

  const buyerCount = ({ saleId }: Sale, userId: string) =>
    fixture.redis.client.hget(fixture.keys.sale(saleId).buyers, userId);

  async function givenBareHold(sale: Sale, quantity: number, given: { ttlMs?: number } = {}) {
    const [orderId, userId] = [newId(), newId()];
    const [reply] = await fixture.ledger.reserve(sale.saleId, [
      {
        orderId,
        userId,
        kind: 'bare',
        ttlMs: 60_000,
        digest: newId(),
        fingerprint: newId(),
        facts: '',
        items: [{ productId: sale.productId, quantity }],
        ...given,
      },
    ]);
    expect(reply?.status).toBe('reserved');
    return { holdId: orderId, holdUserId: userId };
  }

  it('takes units for good, without price, event or buyer', async () => {
    const sale = await fixture.givenProduct(5, { opensAtMs: 1, perBuyerLimit: 1 });
    const order = wanted(sale, 3);
    const answer = await fixture.placeForHouse(order);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ orderId: expect.stringMatching(/^[0-9a-f]{24}$/), units: 3 });
    const [stored, ...others] = await fixture.orders(sale.saleId);
    expect(others).toEqual([]);
    expect(String(stored?._id)).toBe(answer.body.orderId);
    expect(stored).toMatchObject({
      kind: 'house',
      orderNumber: expect.stringMatching(/^ORD-\d{4}-\d{6}$/),
      userId: order.by,
      items: [{ productId: sale.productId, sku: 'LAMP', name: 'Lamp', unitPrice: 0, quantity: 3 }],
      totalAmount: 0,
      status: 'DELIVERED',
      inventoryStatus: 'SOLD',
      paymentStatus: 'NONE',
      version: 1,
      history: [{ version: 1, from: null, to: 'DELIVERED', by: order.by, reason: 'damage' }],
      idempotencyKey: order.operationId,
      units: [1, 2, 3].map((number) => `${sale.saleId}:${sale.productId}:${number}`),
    });
    for (const absent of ['shipping', 'outbox', 'to']) expect(stored).not.toHaveProperty(absent);
    expect(await counters(sale)).toMatchObject({ last: 5, available: 2, gone: 3, records: 0 });
    expect(await buyerCount(sale, order.by)).toBeNull();
    expect(movements.filter(({ houseOrderId }) => houseOrderId === answer.body.orderId)).toEqual(
      [],
    );
    // The scan looks once and has nothing more to do.
    await makeDue(fixture, sale.saleId);
    await eventually(async () =>
      expect((await fixture.orders(sale.saleId))[0]).not.toHaveProperty('outboxAt'),
    );
  }, 30_000);

  it('wants the internal key', async () => {
    const sale = await fixture.givenProduct(1);
    const answer = await fixture.placeForHouse(wanted(sale, 1), 'a key that is not the one');
    expect([answer.status, answer.body.code]).toEqual([401, 'unauthenticated']);
    expect(await counters(sale)).toMatchObject({ available: 1 });
  });

  const exempt: [string, Partial<SaleSettings>][] = [
    ['paused', { state: 'paused' }],
    ['closed', { state: 'closed' }],
    ['not open yet', { opensAtMs: Date.now() + 3_600_000 }],
    ['over', { opensAtMs: 1, closesAtMs: 2 }],
    ['limited', { opensAtMs: 1, perBuyerLimit: 1 }],
    ['with a payment step', { holdMs: 1_000 }],
  ];
  it.each(exempt)('may be made in a sale that is %s', async (_state, settings) => {
    const sale = await fixture.givenProduct(4, settings);
    const answer = await fixture.placeForHouse(wanted(sale, 3));
    expect([answer.status, answer.body.units]).toEqual([200, 3]);
    expect(await counters(sale)).toMatchObject({ available: 1, held: 0, gone: 3, records: 0 });
  });

  it('takes what is away, archived or of several products', async () => {
    const [away, archived] = [newId(), newId()];
    const { saleId, productId } = await fixture.givenProduct(2, {});
    await fixture.givenCatalogueEntry({ productId: away, saleId: newId() });
    await fixture.givenCatalogueEntry({ productId: archived, saleId, archived: true });
    const products = [
      { productId: away, price: 1, away: true },
      { productId: archived, price: 1, away: false },
    ];
    await fixture.putSale({ saleId, settingsVersion: 2, products });
    for (const id of [away, archived]) await fixture.ledger.raise(saleId, id, 2);
    const items = [productId, away, archived].map((id) => ({ productId: id, quantity: 1 }));
    const answer = await fixture.placeForHouse(wanted({ saleId, productId }, 1, { items }));
    expect([answer.status, answer.body.units]).toEqual([200, 3]);
    for (const id of [productId, away, archived])
      expect(await counters({ saleId, productId: id })).toMatchObject({ available: 1, gone: 1 });
  });

  it('takes nothing when one of its products does not have enough', async () => {
    const { saleId, productId } = await fixture.givenProduct(5);
    const rare = newId();
    await fixture.givenCatalogueEntry({ productId: rare, saleId });
    const products = [{ productId: rare, price: 1, away: false }];
    await fixture.putSale({ saleId, settingsVersion: 2, products });
    await fixture.ledger.raise(saleId, rare, 1);
    const items = [
      { productId, quantity: 5 },
      { productId: rare, quantity: 2 },
    ];
    const order = wanted({ saleId, productId }, 1, { items });
    const answer = await fixture.placeForHouse(order);
    expect([answer.status, answer.body.code]).toEqual([409, 'insufficient-stock']);
    expect(answer.body.products).toEqual([{ productId: rare, available: 1 }]);
    expect(await counters({ saleId, productId })).toMatchObject({
      available: 5,
      gone: 0,
      records: 0,
    });
    expect(await fixture.orders(saleId)).toEqual([]);
    // Nothing is kept of a refusal: with enough stock the same operation goes through.
    await fixture.ledger.raise(saleId, rare, 2);
    expect((await fixture.placeForHouse(order)).status).toBe(200);
  });

  it('knows no product that is nowhere', async () => {
    const sale = await fixture.givenProduct(1);
    const nowhere = await fixture.placeForHouse(wanted({ ...sale, productId: newId() }, 1));
    expect([nowhere.status, nowhere.body.code]).toEqual([422, 'unknown-product']);
    const elsewhere = await fixture.givenProduct(1);
    const answer = await fixture.placeForHouse(
      wanted({ saleId: sale.saleId, productId: elsewhere.productId }, 1),
    );
    expect([answer.status, answer.body.code]).toEqual([422, 'unknown-product']);
  });

  it('is made once, however often it is asked for', async () => {
    const sale = await fixture.givenProduct(10);
    const order = wanted(sale, 2, { reason: 'allotment', to: newId() });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fixture.placeForHouse(order)),
    );
    answers.push(await fixture.placeForHouse(order));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
    expect(await counters(sale)).toMatchObject({ available: 8, gone: 2, records: 0 });
    const { orderId } = answers[0]?.body as { orderId: string };
    const asked = movements.filter(({ saleId }) => saleId === order.to);
    expect(asked.length).toBeGreaterThan(0);
    for (const movement of asked)
      expect(movement).toEqual({
        houseOrderId: orderId,
        saleId: order.to,
        productId: sale.productId,
        units: 2,
        by: order.by,
      });
  });

  it('refuses its operation id with another body', async () => {
    const sale = await fixture.givenProduct(5);
    const order = wanted(sale, 1);
    expect((await fixture.placeForHouse(order)).status).toBe(200);
    const other = { ...order, items: [{ productId: sale.productId, quantity: 2 }] };
    const elsewhere = { ...order, saleId: (await fixture.givenProduct(5)).saleId };
    for (const body of [other, elsewhere]) {
      const answer = await fixture.placeForHouse(body);
      expect([answer.status, answer.body.code]).toEqual([422, 'idempotency-key-reused']);
    }
    expect(await counters(sale)).toMatchObject({ available: 4, gone: 1 });
  });

  it('answers the same when the ledger has long forgotten it and nothing is left', async () => {
    const sale = await fixture.givenProduct(1);
    const order = wanted(sale, 1);
    const first = await fixture.placeForHouse(order);
    const digest = idempotencyDigest({
      userId: order.by,
      route: 'POST /internal/house-orders',
      key: order.operationId,
    });
    expect(await fixture.redis.client.del(fixture.keys.idem(sale.saleId, digest))).toBe(1);
    const again = await fixture.placeForHouse(order);
    expect([again.status, again.text]).toEqual([200, first.text]);
  });

  describe('of a bare hold', () => {
    it('takes its units; what the buyer has counts on', async () => {
      const sale = await fixture.givenProduct(2, { opensAtMs: 1, perBuyerLimit: 2 });
      const hold = await givenBareHold(sale, 2);
      expect(await counters(sale)).toMatchObject({ available: 0, held: 2 });
      const order = wanted(sale, 2, { reason: 'confirmed-hold', ...hold });
      const answer = await fixture.placeForHouse(order);
      expect([answer.status, answer.body.units]).toEqual([200, 2]);
      expect((await fixture.orders(sale.saleId))[0]).toMatchObject({
        userId: hold.holdUserId,
        history: [{ by: order.by, reason: 'confirmed-hold' }],
      });
      expect(await counters(sale)).toMatchObject({ available: 0, held: 0, gone: 2, records: 0 });
      expect(await buyerCount(sale, hold.holdUserId)).toBe('2');
      const { bare } = fixture.keys.sale(sale.saleId);
      expect(await fixture.redis.client.hget(bare, hold.holdUserId)).toBe('0');
      const again = await fixture.placeForHouse(order);
      expect([again.status, again.text]).toEqual([200, answer.text]);
    });

    it("is refused when it is gone, run out or somebody else's", async () => {
      const sale = await fixture.givenProduct(9);
      const hold = await givenBareHold(sale, 2);
      const short = await givenBareHold(sale, 2, { ttlMs: 1 });
      const refused = [{ ...hold, holdId: newId() }, { ...hold, holdUserId: newId() }, short];
      await eventually(async () => {
        const [seconds, micros] = await fixture.redis.client.time();
        const held = await fixture.ledger.readHolds(sale.saleId, [short.holdId]);
        if (typeof held === 'string') throw new Error(held);
        const now = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
        expect(now).toBeGreaterThan(held.records[0]?.expiresAt ?? Infinity);
      });
      for (const given of refused) {
        const order = wanted(sale, 2, { reason: 'confirmed-hold', ...given });
        const answer = await fixture.placeForHouse(order);
        expect([answer.status, answer.body.code]).toEqual([409, 'hold-gone']);
      }
      expect(await counters(sale)).toMatchObject({ available: 5, gone: 0 });
    });
  });

  it('stays unfinished until its units have arrived, and is then finished by the scan', async () => {
    const sale = await fixture.givenProduct(5);
    const order = wanted(sale, 3, { reason: 'allotment', to: newId() });
    inventoryIsThere = false;
    const answer = await fixture.placeForHouse(order);
    expect([answer.status, answer.body.code]).toEqual([503, 'dependency-unavailable']);
    const [stored] = await fixture.orders(sale.saleId);
    expect(stored).toMatchObject({ to: order.to, shipping: stored?.units });
    // The units are gone from here, and must not be sold again.
    expect(await counters(sale)).toMatchObject({ available: 2, gone: 3, records: 0 });
    const again = await fixture.placeForHouse(order);
    expect(again.status).toBe(503);
    const asked = () => movements.filter(({ saleId }) => saleId === order.to);
    await makeDue(fixture, sale.saleId);
    await eventually(() => expect(asked().length).toBeGreaterThan(2));
    expect((await fixture.orders(sale.saleId))[0]).toHaveProperty('shipping');
    inventoryIsThere = true;
    await makeDue(fixture, sale.saleId);
    await eventually(
      async () => expect((await fixture.orders(sale.saleId))[0]).not.toHaveProperty('shipping'),
      30_000,
    );
    const orderId = String(stored?._id);
    expect(new Set(asked().map((movement) => JSON.stringify(movement)))).toEqual(
      new Set([
        JSON.stringify({
          houseOrderId: orderId,
          saleId: order.to,
          productId: sale.productId,
          units: 3,
          by: order.by,
        }),
      ]),
    );
    expect(await counters(sale)).toMatchObject({ available: 2, gone: 3, records: 0 });
    const done = await fixture.placeForHouse(order);
    expect([done.status, done.body]).toEqual([200, { orderId, units: 3 }]);
  }, 60_000);

  it('is announced to nobody', async () => {
    const sale = await fixture.givenProduct(5);
    const announced: string[] = [];
    const consumer = fixture.bus.createConsumer({
      contract: orderCreated,
      group: newId(),
      handle: async (batch) =>
        void announced.push(
          ...batch.flatMap(({ data }) => (data.saleId === sale.saleId ? [data.orderId] : [])),
        ),
    });
    await consumer.start();
    expect((await fixture.placeForHouse(wanted(sale, 1))).status).toBe(200);
    const placed = await fixture.place({ userId: newId(), key: 'k', productId: sale.productId });
    // What comes later on the same bus shows that the order of the house is not under way.
    await eventually(() => expect(announced).toEqual([placed.body.order._id]));
    await consumer.stop();
  });

  it('is seen by nobody', async () => {
    const sale = await fixture.givenProduct(5);
    const order = wanted(sale, 1);
    const { orderId } = (await fixture.placeForHouse(order)).body as { orderId: string };
    const own = await fixture.place({ userId: order.by, key: 'k', productId: sale.productId });
    const as = (request: supertest.Test) =>
      request.set('Authorization', `Bearer user-${order.by}`).set('Idempotency-Key', 'k');
    const { request } = fixture;
    const list = await as(request.get('/api/orders'));
    const listed = list.body.data as { _id: string }[];
    expect(listed.map(({ _id }) => _id)).toEqual([own.body.order._id]);
    // As of any id this young that is not an order of this buyer.
    for (const sent of [
      request.get(`/api/orders/${orderId}`),
      request.delete(`/api/orders/${orderId}`),
    ])
      expect((await as(sent)).body.code).toBe('order-being-recorded');
    expect((await fixture.orders(sale.saleId)).find(({ kind }) => kind === 'house')).toMatchObject({
      status: 'DELIVERED',
      version: 1,
    });
  });

  it('never gets a unit that is in another order, and fences the sale instead', async () => {
    const sale = await fixture.givenProduct(5);
    const taken = wanted(sale, 2);
    expect((await fixture.placeForHouse(taken)).status).toBe(200);
    // A ledger that went back: the units are free again.
    const { stock } = fixture.keys.sale(sale.saleId);
    await fixture.redis.client.hset(stock, `${sale.productId}:next`, '1');
    await fixture.redis.client.hset(stock, `${sale.productId}:available`, '5');
    const answer = await fixture.placeForHouse(wanted(sale, 1));
    expect([answer.status, answer.body.code]).toEqual([503, 'sale-fenced']);
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
    const fenced = await fixture.placeForHouse(wanted(sale, 1));
    expect([fenced.status, fenced.body.code]).toEqual([503, 'sale-fenced']);
    // What was finished before stays so.
    expect((await fixture.placeForHouse(taken)).status).toBe(200);
  });

  it('takes nothing while the ledger server is not admitted', async () => {
    const sale = await fixture.givenProduct(1);
    const { admitted } = fixture.keys.sale(sale.saleId);
    await fixture.redis.client.set(admitted, 'another server');
    const order = wanted(sale, 1);
    const refused = await fixture.placeForHouse(order);
    expect([refused.status, refused.body.code]).toEqual([503, 'dependency-unavailable']);
    await fixture.redis.client.set(admitted, fixture.redis.runId());
    expect((await fixture.placeForHouse(order)).status).toBe(200);
  });

  it.each([1, 1_000, 2_000, mostHouseUnits])('may be of %d units', async (units) => {
    const sale = await fixture.givenProduct(units + 1);
    const startedAt = performance.now();
    const answer = await fixture.placeForHouse(wanted(sale, units));
    const tookMs = Math.round(performance.now() - startedAt);
    process.stdout.write(`house order of ${units} units: ${tookMs} ms\n`);
    expect([answer.status, answer.body.units]).toEqual([200, units]);
    expect(await counters(sale)).toMatchObject({ available: 1, gone: units, records: 0 });
    const [stored] = await createMongoOrderStore(fixture.mongo).findByIds([answer.body.orderId]);
    expect(new Set(stored?.units).size).toBe(units);
  });
});
