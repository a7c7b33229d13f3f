import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createMongoOrderStore } from '@quicksale/shared/orders';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

let fixture: OrderFixture;
beforeAll(async () => {
  fixture = await startOrders();
});
afterAll(() => fixture?.stop());

/** An order that inventory-service has found the units of; `saleId` is its merchant as well. */
async function givenOrder(quantity = 2, { isChecked = true } = {}) {
  const sale = await fixture.givenProduct(5);
  const userId = newId();
  const placed = await fixture.place({ userId, key: 'k', productId: sale.productId, quantity });
  const orderId = placed.body.order._id as string;
  await set(orderId, {
    status: 'CONFIRMED',
    inventoryStatus: isChecked ? 'RESERVED' : 'PENDING',
  });
  return { ...sale, userId, orderId, merchant: `merchant-${sale.saleId}` };
}

const set = (orderId: string, fields: object) =>
  fixture.mongo
    .db()
    .collection('orders')
    .updateOne(
      { _id: new fixture.mongo.connection.base.mongo.ObjectId(orderId) },
      { $set: fields },
    );
const put = (token: string, orderId: string, body: object) =>
  fixture.request
    .put(`/api/orders/${orderId}/status`)
    .set('Authorization', `Bearer ${token}`)
    .send(body);
const get = (token: string, path: string) =>
  fixture.request.get(path).set('Authorization', `Bearer ${token}`);
const idsOf = ({ body }: { body: unknown }): string[] =>
  (body as { data: { _id: string }[] }).data.map(({ _id }) => _id);
const stored = async (orderId: string) => {
  const [order] = await createMongoOrderStore(fixture.mongo).findByIds([orderId]);
  if (!order) throw new Error('no order');
  return order;
};
async function counters(sale: { saleId: string; productId: string }) {
  const snapshot = await fixture.ledger.snapshot(sale.saleId);
  if (typeof snapshot === 'string') throw new Error(snapshot);
  return { ...snapshot.products[sale.productId], records: snapshot.records.length };
}
const processing = { status: 'PROCESSING' };
const shipped = { status: 'SHIPPED', trackingNumber: 'DHL 1234' };
const cancelled = { status: 'CANCELLED', reason: 'broken in the store' };

describe('PUT /api/orders/:id/status', () => {
  it('brings an order along to its buyer; its units leave the ledger with the shipment', async () => {
    const order = await givenOrder();
    const first = await put(order.merchant, order.orderId, processing);
    expect([first.status, first.body.status, first.headers.etag]).toEqual([
      200,
      'PROCESSING',
      '"2"',
    ]);
    expect(await counters(order)).toMatchObject({ available: 3, gone: 0, records: 1 });
    const second = await put(order.merchant, order.orderId, shipped);
    expect(second.body).toMatchObject({
      status: 'SHIPPED',
      inventoryStatus: 'SOLD',
      trackingNumber: 'DHL 1234',
      merchantId: order.saleId,
      userId: order.userId,
      version: 3,
    });
    expect(second.body).not.toHaveProperty('idempotencyKey');
    expect(await counters(order)).toMatchObject({ available: 3, gone: 2, records: 0, last: 5 });
    const document = await stored(order.orderId);
    expect(document.units).toHaveLength(2);
    expect(document).not.toHaveProperty('shipping');
    expect(document.history.at(-1)).toMatchObject({ by: order.saleId, to: 'SHIPPED' });
    const third = await put(order.merchant, order.orderId, { status: 'DELIVERED' });
    expect(third.body).toMatchObject({ status: 'DELIVERED', inventoryStatus: 'SOLD', version: 4 });
    const told = fixture.published.filter((event) => JSON.stringify(event).includes(order.orderId));
    for (const status of ['PROCESSING', 'SHIPPED', 'DELIVERED'])
      expect(JSON.stringify(told)).toContain(`"${status}"`);
    const read = await get(`user-${order.userId}`, `/api/orders/${order.orderId}`);
    expect(read.body).toMatchObject({ trackingNumber: 'DHL 1234', merchantId: order.saleId });
    // Too late for the buyer.
    const cancel = await fixture.cancel({ ...order, key: 'too late' });
    expect([cancel.status, cancel.body.code]).toEqual([409, 'order-state-conflict']);
  });

  it('says yes again to what is so, and no to another parcel', async () => {
    const order = await givenOrder();
    for (const body of [processing, processing, shipped, shipped])
      expect((await put(order.merchant, order.orderId, body)).status).toBe(200);
    const other = await put(order.merchant, order.orderId, { ...shipped, trackingNumber: 'UPS 1' });
    expect([other.status, other.body.code]).toEqual([409, 'order-state-conflict']);
    expect(other.body).toMatchObject({ currentStatus: 'SHIPPED', allowed: ['DELIVERED'] });
    expect(await stored(order.orderId)).toMatchObject({ version: 3, trackingNumber: 'DHL 1234' });
    expect(await counters(order)).toMatchObject({ gone: 2, available: 3 });
  });

  it('goes along the graph only, and says what it allows', async () => {
    const order = await givenOrder();
    for (const body of [shipped, { status: 'DELIVERED' }]) {
      const answer = await put(order.merchant, order.orderId, body);
      expect([answer.status, answer.body.code]).toEqual([409, 'order-state-conflict']);
      expect(answer.body).toMatchObject({
        currentStatus: 'CONFIRMED',
        allowed: ['PROCESSING', 'CANCELLED'],
      });
    }
    expect(await stored(order.orderId)).toMatchObject({ version: 1, status: 'CONFIRMED' });
  });

  it('waits until the units are found', async () => {
    const order = await givenOrder(1, { isChecked: false });
    const answer = await put(order.merchant, order.orderId, processing);
    expect([answer.status, answer.body.code]).toEqual([409, 'order-state-conflict']);
    expect(answer.body.detail).toContain('not checked yet');
    expect(answer.body).toMatchObject({ currentStatus: 'CONFIRMED', allowed: ['CANCELLED'] });
  });

  it('cancels with a reason: the units can be sold again', async () => {
    const order = await givenOrder();
    const answer = await put(order.merchant, order.orderId, cancelled);
    expect(answer.body).toMatchObject({ status: 'CANCELLED', inventoryStatus: 'RELEASED' });
    expect((answer.body.history as unknown[]).at(-1)).toMatchObject({
      reason: 'broken in the store',
    });
    expect(await counters(order)).toMatchObject({ available: 5, gone: 0, records: 0 });
    expect((await put(order.merchant, order.orderId, cancelled)).status).toBe(200);
    expect(await stored(order.orderId)).toMatchObject({ version: 2 });
    const late = await put(order.merchant, order.orderId, processing);
    expect(late.body).toMatchObject({ code: 'order-state-conflict', allowed: [] });
  });

  it('heeds If-Match', async () => {
    const order = await givenOrder();
    const stale = await put(order.merchant, order.orderId, processing).set('If-Match', '"7"');
    expect([stale.status, stale.body.code]).toEqual([412, 'version-conflict']);
    const fresh = await put(order.merchant, order.orderId, processing).set('If-Match', '"1"');
    expect(fresh.status).toBe(200);
  });

  it('is for the merchant of the products and for ADMIN', async () => {
    const order = await givenOrder();
    for (const stranger of [`merchant-${newId()}`, `merchant-${order.userId}`]) {
      const answer = await put(stranger, order.orderId, processing);
      expect([answer.status, answer.body.code]).toEqual([404, 'not-found']);
    }
    for (const role of [`user-${order.userId}`, `user-${order.saleId}`, `support-${newId()}`])
      expect((await put(role, order.orderId, processing)).status).toBe(403);
    expect((await put('nobody', order.orderId, processing)).status).toBe(401);
    expect((await put(order.merchant, newId(), processing)).status).toBe(404);
    expect((await stored(order.orderId)).version).toBe(1);
    expect((await put(`admin-${newId()}`, order.orderId, processing)).status).toBe(200);
  });

  it('never touches an order of the house', async () => {
    const sale = await fixture.givenProduct(3);
    const items = [{ productId: sale.productId, quantity: 1 }];
    const { body } = await fixture
      .placeForHouse({
        ...{ operationId: newId(), saleId: sale.saleId, items },
        by: sale.saleId,
        reason: 'damage',
      })
      .expect(200);
    await set(body.orderId as string, { status: 'SHIPPED', merchantId: sale.saleId });
    for (const token of [`merchant-${sale.saleId}`, `admin-${newId()}`]) {
      const answer = await put(token, body.orderId as string, { status: 'DELIVERED' });
      expect(answer.status).toBe(404);
      expect((await get(token, `/api/merchant/orders/${body.orderId}`)).status).toBe(404);
      expect((await get(token, `/api/orders/${body.orderId}/invoice`)).status).toBe(404);
    }
  });

  it('takes these fields and no others', async () => {
    const order = await givenOrder();
    const bodies = [
      {},
      { status: 'REFUNDED' },
      { status: 'CONFIRMED' },
      { status: 'CANCELLED' },
      { status: 'CANCELLED', reason: ' ' },
      { status: 'SHIPPED' },
      { status: 'SHIPPED', trackingNumber: '' },
      { status: 'SHIPPED', trackingNumber: ' 1' },
      { status: 'SHIPPED', trackingNumber: 'a\nb' },
      { status: 'SHIPPED', trackingNumber: 'x'.repeat(101) },
      { ...processing, trackingNumber: 'DHL 1' },
      { ...cancelled, trackingNumber: 'DHL 1' },
      { ...processing, merchantId: newId() },
      { ...processing, inventoryStatus: 'SOLD' },
      { ...processing, paymentStatus: 'PAID' },
      { ...processing, totalAmount: 0 },
      { ...processing, version: 9 },
    ];
    for (const body of bodies) {
      const answer = await put(order.merchant, order.orderId, body);
      expect([body, answer.status, answer.body.code]).toEqual([body, 400, 'validation-failed']);
    }
    const text = put(order.merchant, order.orderId, {}).set('Content-Type', 'text/plain');
    expect((await text.send('x')).status).toBe(415);
    const broken = put(order.merchant, order.orderId, {}).set('Content-Type', 'application/json');
    expect((await broken.send('{')).body.code).toBe('malformed-json');
    const large = put(order.merchant, order.orderId, { reason: 'x'.repeat(20_000) });
    expect((await large).status).toBe(413);
    expect(await stored(order.orderId)).toMatchObject({ version: 1, status: 'CONFIRMED' });
  });

  it('stands while the ledger is away, and the units leave later', async () => {
    const order = await givenOrder();
    await put(order.merchant, order.orderId, processing);
    const { admitted } = fixture.keys.sale(order.saleId);
    await fixture.redis.client.set(admitted, 'another server');
    const answer = await put(order.merchant, order.orderId, shipped);
    expect([answer.status, answer.body.status]).toEqual([200, 'SHIPPED']);
    expect((await stored(order.orderId)).shipping).toHaveLength(2);
    await fixture.redis.client.set(admitted, fixture.redis.runId());
    expect(await counters(order)).toMatchObject({ gone: 0, records: 1 });
    await eventually(async () => {
      expect(await counters(order)).toMatchObject({ gone: 2, records: 0 });
      expect(await stored(order.orderId)).not.toHaveProperty('shipping');
    }, 30_000);
  });
});

describe('orders as merchants read them', () => {
  it('lists those of their products, by pages and filters, and nothing of others', async () => {
    const [own, other] = [await givenOrder(), await givenOrder()];
    const { productId, userId } = own;
    const second = await fixture.place({ userId, key: 'l', productId });
    const merchant = own.merchant;
    const first = await get(merchant, '/api/merchant/orders?limit=1');
    expect(first.status).toBe(200);
    const after = first.body.page.next as string;
    expect(first.headers.link).toBe(`</api/merchant/orders?limit=1&cursor=${after}>; rel="next"`);
    const rest = await get(merchant, `/api/merchant/orders?limit=1&cursor=${after}`);
    const ids = [...idsOf(first), ...idsOf(rest)];
    expect(ids).toEqual([second.body.order._id, own.orderId].sort().reverse());
    expect(rest.body.page.next).toBeNull();
    expect(first.text + rest.text).not.toContain('idempotencyKey');
    const byStatus = await get(merchant, '/api/merchant/orders?status=CONFIRMED');
    expect(idsOf(byStatus)).toEqual([own.orderId]);
    const elsewhere = await get(merchant, `/api/merchant/orders?saleId=${other.saleId}`);
    expect(elsewhere.body.data).toEqual([]);
    const asked = await get(merchant, `/api/merchant/orders?merchantId=${other.saleId}`);
    expect([asked.status, asked.body.code]).toEqual([403, 'forbidden']);
    expect((await get(merchant, '/api/merchant/orders?userId=1')).status).toBe(400);
  });

  it('lets ADMIN and SUPPORT read all of them, and buyers none', async () => {
    const orders = [await givenOrder(), await givenOrder()];
    for (const role of ['admin', 'support']) {
      const token = `${role}-${newId()}`;
      const all = await get(token, '/api/merchant/orders?limit=100');
      expect(idsOf(all)).toEqual(expect.arrayContaining(orders.map(({ orderId }) => orderId)));
      const ofOne = await get(token, `/api/merchant/orders?merchantId=${orders[0]?.saleId}`);
      expect(idsOf(ofOne)).toEqual([orders[0]?.orderId]);
      const one = await get(token, `/api/merchant/orders/${orders[1]?.orderId}`);
      expect([one.status, one.body.userId]).toEqual([200, orders[1]?.userId]);
    }
    for (const path of ['', '.csv', `/${orders[0]?.orderId}`]) {
      const answer = await get(`user-${orders[0]?.userId}`, `/api/merchant/orders${path}`);
      expect(answer.status).toBe(403);
      expect((await get('nobody', `/api/merchant/orders${path}`)).status).toBe(401);
    }
  });

  it('reads one of them, or says that it has not changed', async () => {
    const order = await givenOrder();
    const path = `/api/merchant/orders/${order.orderId}`;
    const answer = await get(order.merchant, path);
    expect(answer.body).toMatchObject({ _id: order.orderId, userId: order.userId });
    expect(answer.body).not.toHaveProperty('idempotencyKey');
    const again = await get(order.merchant, path).set('If-None-Match', answer.headers.etag ?? '');
    expect(again.status).toBe(304);
    expect((await get(`merchant-${newId()}`, path)).status).toBe(404);
    expect((await get(order.merchant, '/api/merchant/orders/x')).status).toBe(400);
  });
});
