import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mongo as driver } from 'mongoose';
import request from 'supertest';
import { inventoryResult, orderCreated, type InventoryResult } from '@quicksale/shared/contracts';
import { createMongoOrderStore, orderCreatedEvent, type Order } from '@quicksale/shared/orders';
import type { Delivered } from '@quicksale/shared/bus';
import { eventually } from '@quicksale/shared/testing';
import { answerCreated } from '../src/holds/answer-created.ts';
import {
  objectId,
  placeOrder,
  startInventory,
  tokenFor,
  type InventoryFixture,
} from './inventory-fixture.ts';

// Runners and servers that start again take their time.
jest.setTimeout(30_000);

let fixture: InventoryFixture;
const results: Delivered<InventoryResult>[] = [];

beforeAll(async () => {
  fixture = await startInventory();
  await fixture.bus
    .createConsumer({
      contract: inventoryResult,
      group: 'test',
      handle: async (batch) => void results.push(...batch),
    })
    .start();
}, 60_000);
afterAll(() => fixture.stop());

async function givenProduct(): Promise<{ saleId: string; productId: string }> {
  const saleId = objectId();
  const made = await request(fixture.service.app)
    .post('/api/inventory/products')
    .set('Authorization', `Bearer ${tokenFor('MERCHANT', saleId)}`)
    .send({ name: 'n', description: 'd', price: 1, stock: 50, sku: 'S', category: 'c' })
    .expect(201);
  return { saleId, productId: String(made.body.product._id) };
}

const announce = (...orders: Order[]) =>
  fixture.bus.publish(
    orders.map((order) => ({ ...orderCreatedEvent(order), requestId: `r-${order.id}` })),
  );
const resultsOf = (order: Order) => results.filter(({ data }) => data.orderId === order.id);
const resultOf = (order: Order) =>
  eventually(() => {
    const [result] = resultsOf(order);
    if (!result) throw new Error('no result yet');
    return result;
  });
const change = (order: Order, update: driver.UpdateFilter<driver.BSON.Document>) =>
  fixture.mongo
    .db()
    .collection('orders')
    .updateOne({ _id: new driver.ObjectId(order.id) }, update);
const dropRecord = ({ saleId, id }: Order) =>
  fixture.connection.client.hdel(fixture.keys.sale(saleId).holds, id);

describe('order.created', () => {
  it('of a held order is answered RESERVED, with the ids of its cause', async () => {
    const { saleId, productId } = await givenProduct();
    const order = await placeOrder(fixture, saleId, productId, 2);
    await announce(order);
    expect(await resultOf(order)).toMatchObject({
      id: `${order.id}:result`,
      data: {
        orderId: order.id,
        orderNumber: order.orderNumber,
        userId: order.userId,
        saleId,
        outcome: 'RESERVED',
        paymentRequired: false,
        causationId: `${order.id}:1`,
      },
      context: { requestId: `r-${order.id}` },
    });
  });

  it('in a sale with a payment step is answered with paymentRequired', async () => {
    const { saleId, productId } = await givenProduct();
    // A timed sale as the next release makes them: the hold has a deadline.
    await fixture.connection.client.hset(fixture.keys.sale(saleId).sale, 'holdMs', '60000');
    const order = await placeOrder(fixture, saleId, productId);
    await announce(order);
    expect((await resultOf(order)).data).toMatchObject({
      outcome: 'RESERVED',
      paymentRequired: true,
    });
  });

  it('seen again is answered again, with the same id', async () => {
    const { saleId, productId } = await givenProduct();
    const order = await placeOrder(fixture, saleId, productId);
    await announce(order, order);
    await announce(order);
    await eventually(() => expect(resultsOf(order)).toHaveLength(3));
    expect(new Set(resultsOf(order).map(({ id }) => id)).size).toBe(1);
  });

  it('without a hold: shipped is RESERVED, without units or document is REJECTED', async () => {
    const { saleId, productId } = await givenProduct();
    const place = () => placeOrder(fixture, saleId, productId);
    const [shipped, cancelled, ghost, held] = [
      await place(),
      await place(),
      await place(),
      await place(),
    ];
    await change(shipped, { $set: { inventoryStatus: 'SOLD' } });
    await change(cancelled, { $set: { inventoryStatus: 'RELEASED' }, $unset: { units: '' } });
    await fixture.mongo
      .db()
      .collection('orders')
      .deleteOne({ _id: new driver.ObjectId(ghost.id) });
    for (const order of [shipped, cancelled, ghost]) await dropRecord(order);
    await announce(shipped, cancelled, ghost, held);
    expect((await resultOf(shipped)).data.outcome).toBe('RESERVED');
    expect((await resultOf(cancelled)).data).toMatchObject({
      outcome: 'REJECTED',
      reason: 'the order holds no units',
    });
    expect((await resultOf(ghost)).data.outcome).toBe('REJECTED');
    expect((await resultOf(held)).data.outcome).toBe('RESERVED');
    expect(await fixture.ledger.snapshot(saleId)).toMatchObject({ fenced: false });
  });

  it('of an order that must have a hold and has none fences the sale and answers nothing', async () => {
    const [broken, sound] = [await givenProduct(), await givenProduct()];
    const lost = await placeOrder(fixture, broken.saleId, broken.productId);
    const neighbour = await placeOrder(fixture, broken.saleId, broken.productId);
    const elsewhere = await placeOrder(fixture, sound.saleId, sound.productId);
    await dropRecord(lost);
    await announce(lost, elsewhere);
    await resultOf(elsewhere);
    await eventually(async () =>
      expect(await fixture.ledger.snapshot(broken.saleId)).toMatchObject({ fenced: true }),
    );
    expect(resultsOf(lost)).toEqual([]);
    // The line follows the fence.
    await eventually(() =>
      expect(fixture.lines).toContainEqual(
        expect.objectContaining({
          level: 'error',
          saleId: broken.saleId,
          epoch: 1,
          orderIds: [lost.id],
        }),
      ),
    );
    // Fenced: the ledger says nothing of any of its orders, and neither do we.
    const last = await placeOrder(fixture, sound.saleId, sound.productId);
    await announce(neighbour, last);
    await resultOf(last);
    await eventually(async () =>
      expect(await fixture.bus.lag('quicksale.inventory-service', orderCreated)).toBe(0),
    );
    expect(resultsOf(neighbour)).toEqual([]);
    const info = expect.objectContaining({ level: 'info', saleId: broken.saleId, orders: 1 });
    expect(fixture.lines).toContainEqual(info);
  });

  it('waits while the ledger is not admitted', async () => {
    const answer = answerCreated(
      {
        ledger: { ...fixture.ledger, readHolds: async () => 'not_admitted' },
        orders: createMongoOrderStore(fixture.mongo),
        bus: fixture.bus,
        log: fixture.service as never,
      },
      [
        {
          id: 'x',
          time: '',
          context: {},
          data: { orderId: objectId(), saleId: objectId() } as never,
        },
      ],
    );
    await expect(answer).rejects.toMatchObject({ kind: 'unavailable' });
  });
});
