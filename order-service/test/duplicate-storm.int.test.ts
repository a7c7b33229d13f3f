import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { idempotencyDigest } from '@quicksale/shared/idempotency';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderClient, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

const buyerCount = 120;
const stock = 1_000;
const twinsPerKey = 4;

type Answer = Awaited<ReturnType<OrderFixture['place']>>;
type Wanted = Parameters<OrderFixture['place']>[0];

describe('fault 8: a storm of duplicate keys', () => {
  let fixture: OrderFixture;
  let twin: OrderClient;
  beforeAll(async () => {
    fixture = await startOrders();
    twin = await fixture.startTwin();
  }, 60_000);
  afterAll(() => fixture?.stop());

  const placeOn = (n: number, wanted: Wanted): Promise<Answer> =>
    (n % 2 ? twin : fixture).place(wanted).then((answer) => answer);

  /** A sale with an order of each buyer, and what these were told. */
  async function givenOrders() {
    const sale = await fixture.givenProduct(stock);
    const wanted = (): Wanted => ({ userId: newId(), key: 'k', productId: sale.productId });
    const buyers = Array.from({ length: buyerCount }, wanted);
    const told = await Promise.all(
      buyers.map((buyer, n) =>
        eventually(async () => {
          const { status, text } = await placeOn(n, buyer);
          expect(status).toBe(201);
          return text;
        }),
      ),
    );
    const stored = await ordersOf(sale.saleId);
    expect(stored).toHaveLength(buyerCount);
    return { ...sale, wanted, buyers, told, stored };
  }

  /** What must not change; the outbox scan goes on meanwhile. */
  const ordersOf = async (saleId: string) =>
    (await fixture.orders(saleId))
      .map(({ _id, userId, units, idempotencyDigest, status, version }) => ({
        ...{ id: String(_id), userId: String(userId), units: units as string[] },
        ...{ idempotencyDigest, status, version },
      }))
      .sort((one, other) => (one.id < other.id ? -1 : 1));

  const forgetKeys = (saleId: string, buyers: readonly Wanted[]) =>
    fixture.redis.client.del(
      ...buyers.map(({ userId, key }) =>
        fixture.keys.idem(saleId, idempotencyDigest({ userId, route: 'POST /api/orders', key })),
      ),
    );

  async function snapshotOf(saleId: string) {
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    return snapshot;
  }

  it('leaves one order per key when the ledger has forgotten all of them and everybody retries', async () => {
    const { saleId, productId, buyers, told, stored } = await givenOrders();
    expect(await forgetKeys(saleId, buyers)).toBe(buyerCount);

    const answers = await Promise.all(
      Array.from({ length: twinsPerKey * buyerCount }, async (_, n) => {
        const at = n % buyerCount;
        // Neighbours in the queue are of one key and on different services.
        const buyer = buyers[at];
        if (!buyer) throw new Error('no such buyer');
        return { at, buyer, answer: await placeOn(Math.floor(n / buyerCount), buyer) };
      }),
    );
    const unfinished = answers.filter(({ answer }) => answer.status !== 201);
    for (const { at, answer } of answers) {
      if (answer.status === 201) expect(answer.text).toBe(told[at]);
      else expect([answer.status, answer.body.code]).toEqual([503, 'dependency-unavailable']);
    }
    for (const { at, buyer } of unfinished)
      await eventually(async () => expect((await fixture.place(buyer)).text).toBe(told[at]));

    expect(await ordersOf(saleId)).toEqual(stored);
    // The holds that the repeats took are given back, every one of them.
    await eventually(async () => {
      const { records, products, fenced } = await snapshotOf(saleId);
      expect(fenced).toBe(false);
      expect(records.map(({ orderId }) => orderId).sort()).toEqual(stored.map(({ id }) => id));
      expect(products[productId]).toMatchObject({ available: stock - buyerCount, last: stock });
    });
    const units = stored.flatMap((order) => order.units);
    expect(new Set(units).size).toBe(buyerCount);
    process.stdout.write(
      `keys forgotten: ${answers.length} repeats of ${buyerCount} keys, ` +
        `${unfinished.length} told to come again\n`,
    );
  });

  it('sells no unit twice when the ledger issues all of them anew', async () => {
    const { saleId, productId, buyers, told, stored, wanted } = await givenOrders();
    // What a ledger set back to before the sale would say, had nobody checked it.
    const at = fixture.keys.sale(saleId);
    await forgetKeys(saleId, buyers);
    await fixture.redis.client.del(at.holds, at.buyers);
    await fixture.redis.client.hset(at.stock, {
      [`${productId}:next`]: 1,
      [`${productId}:available`]: stock,
    });

    const others = Array.from({ length: buyerCount }, wanted);
    const answers = await Promise.all([...buyers, ...others].map((buyer, n) => placeOn(n, buyer)));
    const orders = await ordersOf(saleId);
    const known = new Map(orders.map((order) => [order.id, order]));
    answers.forEach((answer, n) => {
      if (answer.status !== 201) {
        expect([answer.status, answer.body.code]).toEqual([503, expect.any(String)]);
        expect(answer.headers['retry-after']).toMatch(/^\d+$/);
        return;
      }
      // Owners are told of their own order; what others were promised is there.
      if (n < buyerCount) expect(answer.text).toBe(told[n]);
      expect(known.get(answer.body.order._id as string)?.userId).toBe(
        [...buyers, ...others][n]?.userId,
      );
    });
    for (const order of stored) expect(known.get(order.id)).toEqual(order);
    const units = orders.flatMap((order) => order.units);
    expect(new Set(units).size).toBe(units.length);
    expect(new Set(orders.map(({ userId }) => userId)).size).toBe(orders.length);
    expect(await fixture.ledger.snapshot(saleId)).toMatchObject({ fenced: true });
    const refused = answers.filter(({ status }) => status === 503).length;
    process.stdout.write(`units issued anew: ${refused} of ${answers.length} told to come again\n`);
    const [next] = others;
    if (next) expect((await twin.place(next)).body.code).toBe('sale-fenced');
  });
});
