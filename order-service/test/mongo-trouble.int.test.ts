import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { openMongoGate, type MongoGate } from './mongo-gate.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

const stock = 8;

describe('fault 8: MongoDB', () => {
  let gate: MongoGate;
  let fixture: OrderFixture;
  beforeAll(async () => {
    gate = await openMongoGate(process.env.MONGO_URL ?? '');
    fixture = await startOrders({ MONGO_URL: gate.url });
  }, 60_000);
  afterEach(() => gate.open());
  afterAll(async () => {
    gate?.open();
    await fixture?.stop();
    await gate?.close();
  }, 60_000);

  /** A product that the service knows, with this stock for others than the first buyer. */
  async function givenKnownProduct() {
    const sale = await fixture.givenProduct(stock + 1);
    const wanted = () => ({ userId: newId(), key: 'k', productId: sale.productId });
    const first = wanted();
    await eventually(async () => expect((await fixture.place(first)).status).toBe(201), 30_000);
    return { ...sale, wanted };
  }

  it.each([
    ['frozen', () => gate.shut()],
    ['slow', () => gate.open(2_000)],
  ])('that is %s keeps no loser waiting; a winner has its order under its key', async (how, go) => {
    const { saleId, wanted } = await givenKnownProduct();
    go();
    const ended: string[] = [];
    const buy = async (buyer: ReturnType<typeof wanted>, role: string) => {
      const answer = await fixture.place(buyer);
      ended.push(role);
      return { buyer, answer };
    };
    const winners = Array.from({ length: stock }, () => buy(wanted(), 'winner'));
    await eventually(async () => {
      const snapshot = await fixture.ledger.snapshot(saleId);
      expect(snapshot).toMatchObject({ records: { length: stock + 1 } });
    });
    const losers = await Promise.all(Array.from({ length: 20 }, () => buy(wanted(), 'loser')));
    expect(losers.map(({ answer }) => `${answer.status} ${answer.body.code}`)).toEqual(
      losers.map(() => '409 sold-out'),
    );
    // They are told while every winner still waits for MongoDB.
    expect(ended).toEqual(losers.map(() => 'loser'));

    const firstAnswers = await Promise.all(winners);
    for (const { answer } of firstAnswers) {
      if (answer.status === 201) continue;
      expect([answer.status, answer.body.code]).toEqual([503, 'dependency-unavailable']);
      expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    }
    if (how === 'frozen')
      expect(firstAnswers.filter((one) => one.answer.status === 201)).toEqual([]);

    gate.open();
    const ids = await Promise.all(
      firstAnswers.map(({ buyer, answer }) =>
        eventually(async () => {
          const again = await fixture.place(buyer);
          expect(again.status).toBe(201);
          if (answer.status === 201) expect(again.text).toBe(answer.text);
          return String(again.body.order._id);
        }, 30_000),
      ),
    );
    // The driver of this test goes through the gate as well, and comes back in its own time.
    const orders = await eventually(() => fixture.orders(saleId), 30_000);
    expect(orders).toHaveLength(stock + 1);
    expect(orders.map(({ _id }) => String(_id))).toEqual(expect.arrayContaining(ids));
    expect(new Set(ids).size).toBe(stock);
    const units = orders.flatMap((order) => order.units as string[]);
    expect(new Set(units).size).toBe(stock + 1);
    const snapshot = await fixture.ledger.snapshot(saleId);
    expect(snapshot).toMatchObject({ fenced: false, records: { length: stock + 1 } });
  });
});
