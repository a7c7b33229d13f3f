import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { idempotencyDigest, requestFingerprint } from '@quicksale/shared/idempotency';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderClient, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(40_000);

interface Wanted {
  userId: string;
  key: string;
  productId: string;
}

describe('an Idempotency-Key of an order', () => {
  let fixture: OrderFixture;
  let twin: OrderClient;
  beforeAll(async () => {
    fixture = await startOrders();
    twin = await fixture.startTwin();
  }, 60_000);
  afterAll(() => fixture?.stop());

  const digestOf = ({ userId, key }: Wanted) =>
    idempotencyDigest({ userId, route: 'POST /api/orders', key });
  const nameOf = (sale: { saleId: string }, wanted: Wanted) =>
    fixture.keys.idem(sale.saleId, digestOf(wanted));
  /** A day later. */
  const forget = (sale: { saleId: string }, wanted: Wanted) =>
    fixture.redis.client.del(nameOf(sale, wanted));

  async function stockOf(sale: { saleId: string; productId: string }) {
    const snapshot = await fixture.ledger.snapshot(sale.saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    const { available } = snapshot.products[sale.productId] ?? {};
    return { available, records: snapshot.records.length };
  }

  it('names one order, whichever sale it is sent to, and nothing of the other is taken', async () => {
    for (let round = 0; round < 10; round += 1) {
      const sales = [await fixture.givenProduct(3), await fixture.givenProduct(3)] as const;
      const userId = newId();
      const send = (n: 0 | 1) =>
        (n ? twin : fixture).place({ userId, key: 'k', productId: sales[n].productId });
      // At once, and then one after the other.
      const both = await Promise.all([send(0), send(1)]);
      const made = both.findIndex(({ status }) => status === 201);
      const other = both[made === 0 ? 1 : 0];
      expect([other?.status, other?.body.code]).toEqual([422, 'idempotency-key-reused']);
      const again = [await send(0), await send(1)];
      expect(again[made]?.text).toBe(both[made]?.text);
      expect(again[made === 0 ? 1 : 0]?.body.code).toBe('idempotency-key-reused');
      const orders = [
        ...(await fixture.orders(sales[0].saleId)),
        ...(await fixture.orders(sales[1].saleId)),
      ];
      expect(orders).toHaveLength(1);
      const stock = await Promise.all(sales.map(stockOf));
      expect(stock[made]).toEqual({ available: 2, records: 1 });
      expect(stock[made === 0 ? 1 : 0]).toEqual({ available: 3, records: 0 });
    }
  });

  it('is another key on another route', async () => {
    const sale = await fixture.givenProduct(2);
    const wanted = { userId: newId(), key: 'k', productId: sale.productId };
    const first = await fixture.place(wanted).expect(201);
    const orderId = first.body.order._id as string;
    await fixture.cancel({ ...wanted, orderId }).expect(200);
    const again = await fixture.place(wanted);
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect(again.headers['idempotent-replayed']).toBe('true');
  });

  it('names its order for longer than the ledger keeps it, also a cancelled one', async () => {
    const sale = await fixture.givenProduct(5);
    const wanted = { userId: newId(), key: 'old', productId: sale.productId };
    const first = await fixture.place(wanted).expect(201);
    const orderId = first.body.order._id as string;
    await fixture.cancel({ ...wanted, orderId }).expect(200);
    for (const client of [fixture, twin]) {
      await forget(sale, wanted);
      const again = await client.place(wanted);
      expect([again.status, again.text]).toEqual([201, first.text]);
      expect(again.headers['idempotent-replayed']).toBe('true');
      await forget(sale, wanted);
      const other = await client.place({ ...wanted, quantity: 2 });
      expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
    }
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
    expect(await stockOf(sale)).toEqual({ available: 5, records: 0 });
  });

  it('fault 14: gives one answer to fifty twins on two services, the first of them unknown to both', async () => {
    const sale = await fixture.givenProduct(60);
    const wanted = { userId: newId(), key: 'k', productId: sale.productId };
    for (const expected of ['new', 'forgotten']) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => (n % 2 ? twin : fixture).place(wanted)),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 201));
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
      expect(await fixture.orders(sale.saleId)).toHaveLength(1);
      expect(await stockOf(sale)).toEqual({ available: 59, records: 1 });
      const first = answers.filter((answer) => !answer.headers['idempotent-replayed']);
      expect(first).toHaveLength(expected === 'new' ? 1 : 0);
      await forget(sale, wanted);
    }
  });

  it('that is dead is taken over by one of many twins on two services', async () => {
    const sale = await fixture.givenProduct(60);
    for (let round = 0; round < 10; round += 1) {
      const wanted = { userId: newId(), key: 'dead', productId: sale.productId };
      const fingerprint = requestFingerprint({
        items: [{ productId: sale.productId, quantity: 1 }],
      });
      const deadId = newId();
      await fixture.redis.client.set(nameOf(sale, wanted), `${deadId} ${fingerprint}`);
      const other = await twin.place({ ...wanted, quantity: 2 });
      expect(other.body.code).toBe('idempotency-key-reused');
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, n) => (n % 2 ? twin : fixture).place(wanted)),
      );
      const made = answers.filter(({ status }) => status === 201);
      // Whoever met it dying twice is told to come again.
      expect(answers.filter(({ status }) => status === 503).length + made.length).toBe(8);
      expect(new Set(made.map(({ text }) => text)).size).toBe(1);
      expect(made[0]?.body.order._id).not.toBe(deadId);
      const again = await fixture.place(wanted);
      expect([again.status, again.text]).toEqual([201, made[0]?.text]);
      expect(await fixture.orders(sale.saleId)).toHaveLength(round + 1);
      expect(await stockOf(sale)).toEqual({ available: 59 - round, records: round + 1 });
    }
  });

  /** A request on a connection of its own. */
  async function sendRaw({ userId, key, productId }: Wanted) {
    const body = JSON.stringify({ items: [{ productId, quantity: 1 }] });
    const socket = connect(fixture.port(), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      [
        'POST /api/orders HTTP/1.1',
        'Host: shop',
        `Authorization: Bearer user-${userId}`,
        `Idempotency-Key: ${key}`,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        '',
        body,
      ].join('\r\n'),
    );
    return socket;
  }

  it('fault 14: whose client went away in the middle names at most one order', async () => {
    const sale = await fixture.givenProduct(60);
    const all = Array.from({ length: 20 }, () => ({
      userId: newId(),
      key: 'gone',
      productId: sale.productId,
    }));
    await Promise.all(all.map(async (wanted) => (await sendRaw(wanted)).destroy()));
    const answers = await Promise.all(all.map((wanted) => twin.place(wanted)));
    expect(answers.map(({ status }) => status)).toEqual(all.map(() => 201));
    await eventually(async () => {
      const ids = (await fixture.orders(sale.saleId)).map(({ _id }) => String(_id));
      expect(ids.sort()).toEqual(answers.map(({ body }) => body.order._id as string).sort());
      expect(await stockOf(sale)).toEqual({ available: 40, records: 20 });
    });
  });

  it('fault 13: whose answer was lost on the way gets the same bytes', async () => {
    const sale = await fixture.givenProduct(1);
    const wanted = { userId: newId(), key: 'lost', productId: sale.productId };
    const socket = await sendRaw(wanted);
    const [lost] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    const again = await twin.place(wanted);
    expect(again.status).toBe(201);
    expect(lost.toString()).toContain(again.text);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
  });
});
