import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { SaleSettings } from '@quicksale/shared/stock-ledger';
import { eventually, newId } from '@quicksale/shared/testing';
import { openMongoGate, type MongoGate } from './mongo-gate.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

const stock = 8;
/** 30,000 by hand: `MONGO_AWAY_MS=30000 npm test -- int order-service/test/mongo-trouble.int.test.ts`. */
const awayMs = Number(process.env.MONGO_AWAY_MS ?? 12_000);

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
  async function givenKnownProduct(settings: Partial<SaleSettings> = {}) {
    const sale = await fixture.givenProduct(stock + 1, settings);
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

  it(
    `that refuses connections for ${awayMs / 1_000} s takes nobody's units, and keeps what was on its way`,
    async () => {
      const safe = await givenKnownProduct();
      const fast = await givenKnownProduct({ durability: 'fast' });
      /** What is taken; marks of what is recorded are struck off in their own time. */
      const taken = () =>
        Promise.all(
          [safe, fast].map(async ({ saleId }) => {
            const snapshot = await fixture.ledger.snapshot(saleId);
            if (typeof snapshot === 'string') throw new Error(snapshot);
            const { products, records } = snapshot;
            return { products, orderIds: records.map(({ orderId }) => orderId).sort() };
          }),
        );
      // Orders between the ledger and MongoDB when it goes.
      gate.shut();
      const early = Array.from({ length: stock / 2 }, safe.wanted);
      const cutOff = early.map((buyer) => fixture.place(buyer).then((answer) => answer));
      await eventually(async () => {
        const [ofSafe] = await taken();
        expect(ofSafe?.orderIds).toHaveLength(1 + stock / 2);
      });
      gate.cut();
      for (const answer of await Promise.all(cutOff)) expectAway(answer);
      await eventually(async () => expect(await fixture.unready()).not.toEqual({}));

      const before = await taken();
      const late: ReturnType<typeof safe.wanted>[] = [];
      const backAt = Date.now() + awayMs;
      let slowestMs = 0;
      while (Date.now() < backAt) {
        const startedAt = performance.now();
        const buyers = [safe, fast].map(({ wanted }) => wanted());
        // Repeats are told the same as the others.
        for (const buyer of [...buyers, ...early.slice(0, 1)])
          expectAway(await fixture.place(buyer));
        late.push(...buyers);
        slowestMs = Math.max(slowestMs, performance.now() - startedAt);
        await new Promise((done) => setTimeout(done, 200));
      }
      expect(await taken()).toEqual(before);
      expect(await fixture.unready()).not.toEqual({});

      gate.open();
      await eventually(async () => expect(await fixture.unready()).toEqual({}), 30_000);
      const ids = await Promise.all(early.map((buyer) => placeAgain(buyer)));
      const orders = await eventually(() => fixture.orders(safe.saleId), 30_000);
      expect(orders.map(({ _id }) => String(_id))).toEqual(expect.arrayContaining(ids));
      expect(orders).toHaveLength(1 + stock / 2);
      // The others had nothing, and come as anybody does: the first of them until all is sold.
      const ends: string[] = [];
      for (const buyer of late)
        await eventually(async () => {
          const answer = await fixture.place(buyer);
          expect(answer.status).not.toBe(503);
          ends.push(`${answer.status} ${answer.body.code ?? ''}`);
        });
      const sold = ends.filter((end) => end === '201 ').length;
      expect(ends.filter((end) => end !== '201 ')).toEqual(
        Array.from({ length: late.length - sold }, () => '409 sold-out'),
      );
      await eventually(async () => {
        const stored = await Promise.all([safe, fast].map(({ saleId }) => fixture.orders(saleId)));
        expect(stored.map(({ length }) => length)).toEqual(
          [1 + stock / 2, 1].map((had, n) =>
            Math.min(stock + 1, had + late.filter((_, index) => index % 2 === n).length),
          ),
        );
        for (const documents of stored) {
          const units = documents.flatMap((order) => order.units as string[]);
          expect(new Set(units).size).toBe(documents.length);
        }
      });
      process.stdout.write(
        `MongoDB cut off for ${awayMs} ms: ${late.length} refused before the ledger was asked, ` +
          `three answers in ${Math.round(slowestMs)} ms at most\n`,
      );
    },
    awayMs + 60_000,
  );

  const expectAway = (answer: Awaited<ReturnType<OrderFixture['place']>>) => {
    expect([answer.status, answer.body.code]).toEqual([503, 'dependency-unavailable']);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
  };

  const placeAgain = (buyer: Parameters<OrderFixture['place']>[0]) =>
    eventually(async () => {
      const again = await fixture.place(buyer);
      expect(again.status).toBe(201);
      return String(again.body.order._id);
    }, 30_000);
});
