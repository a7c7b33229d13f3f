import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { startDiscounts, type DiscountFixture } from './discount-fixture.ts';
import type { OrderClient } from './order-fixture.ts';

jest.setTimeout(600_000);

/** How often each race is run; the last use x 50 buyers twenty times as often. */
const rounds = Number(process.env.DISCOUNT_RACE_ROUNDS ?? 3);
const racers = 50;

interface Answer {
  status: number;
  body: {
    code?: string;
    detail?: string;
    scope?: string;
    order?: { _id: string; totalAmount: number };
  };
  text: string;
}

const outcomes = (answers: readonly Answer[]) => {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const name = status === 201 ? 'created' : `${status} ${body.code} ${body.scope ?? ''}`.trim();
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
};

describe('the last uses of a discount code', () => {
  let fixture: DiscountFixture;
  let twin: OrderClient;
  beforeAll(async () => {
    // Nobody but the orders themselves gives anything back here.
    fixture = await startDiscounts({ QUICKSALE_REPAIRS_OFF: 'discount-uses' });
    // Two processes: what one remembers the other does not.
    twin = await fixture.startTwin();
  }, 60_000);
  afterAll(() => fixture?.stop());

  /** Sent to the two processes in turns. */
  function order(
    wish: { productId: string; key: string; code?: string; userId?: string },
    index: number,
  ) {
    if (index % 2 === 0) return fixture.order(wish);
    return twin.request
      .post('/api/orders')
      .set('Authorization', `Bearer user-${wish.userId ?? newId()}`)
      .set('Idempotency-Key', wish.key)
      .send({
        items: [{ productId: wish.productId, quantity: 1 }],
        ...(wish.code && { discountCode: wish.code }),
      });
  }

  async function race(
    wishes: readonly { productId: string; key: string; code?: string; userId?: string }[],
  ): Promise<Answer[]> {
    return Promise.all(wishes.map(askUntilAnswered));
  }

  /** A busy database answers 503: the same key may be sent again, and has one effect. */
  async function askUntilAnswered(
    wish: { productId: string; key: string; code?: string; userId?: string },
    index: number,
  ): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      const answer = (await order(wish, index)) as Answer;
      if (answer.status !== 503 || tries === 10) return answer;
      process.stdout.write(`asked again after 503: ${answer.body.detail}\n`);
    }
  }

  const percent = { code: 'half', kind: 'percentage', value: 50 };
  const wishOf = (productId: string, key = newId()) => ({ productId, key, code: 'half' });

  it('is had by exactly one of fifty buyers', async () => {
    let ran = 0;
    for (; ran < 20 * rounds; ran += 1) {
      // Sometimes there are uses before it that are taken, or came back.
      const usesTotal = 1 + (ran % 3);
      const shop = await fixture.givenShop(100, { ...percent, usesTotal });
      const { productId, saleId } = shop.sale;
      for (let taken = 1; taken < usesTotal; taken += 1)
        await order(wishOf(productId), taken).expect(201);
      const answers = await race(Array.from({ length: racers }, () => wishOf(productId)));
      expect(outcomes(answers)).toEqual({ created: 1, '409 discount-used-up total': racers - 1 });
      const uses = await fixture.uses(shop.merchantId);
      expect(uses.map(({ slot }) => slot).sort()).toEqual([1, 2, 3].slice(0, usesTotal));
      const orders = await fixture.orders(saleId);
      expect(orders).toHaveLength(usesTotal);
      expect(orders.map(({ idempotencyDigest }) => idempotencyDigest as string).sort()).toEqual(
        uses.map(({ _id }) => _id).sort(),
      );
      for (const { discount, totalAmount } of orders)
        expect([discount, totalAmount]).toEqual([2500, 2499]);
    }
    process.stdout.write(`last use x ${racers} buyers: ${ran} races\n`);
  });

  it('of one buyer is had by exactly one of his fifty orders', async () => {
    for (let ran = 0; ran < rounds; ran += 1) {
      const usesPerUser = 1 + (ran % 2);
      const limits = { usesPerUser, ...(ran % 3 === 0 && { usesTotal: 40 }) };
      const shop = await fixture.givenShop(100, { ...percent, ...limits });
      const { productId } = shop.sale;
      const userId = newId();
      if (usesPerUser === 2) await order({ ...wishOf(productId), userId }, ran).expect(201);
      const answers = await race(
        Array.from({ length: racers }, () => ({ ...wishOf(productId), userId })),
      );
      expect(outcomes(answers)).toEqual({ created: 1, '409 discount-used-up user': racers - 1 });
      // Those who were refused have taken nothing from others.
      await order(wishOf(productId), ran).expect(201);
      const uses = await fixture.uses(shop.merchantId);
      expect(uses.map((use) => [use.userId === userId, use.userSlot]).sort()).toEqual(
        [
          [false, expect.any(Number)],
          [true, 1],
          [true, 2],
        ].slice(0, usesPerUser + 1),
      );
      expect(await fixture.orders(shop.sale.saleId)).toHaveLength(usesPerUser + 1);
    }
    process.stdout.write(`last use of one buyer x ${racers} keys: ${rounds} races\n`);
  });

  it('is one use for fifty requests with one key', async () => {
    for (let ran = 0; ran < rounds; ran += 1) {
      const shop = await fixture.givenShop(100, {
        ...percent,
        usesTotal: 1 + (ran % 3),
        ...(ran % 2 === 0 && { usesPerUser: 1 }),
      });
      const wish = { ...wishOf(shop.sale.productId), userId: newId() };
      const answers = await race(Array.from({ length: racers }, () => wish));
      expect(outcomes(answers)).toEqual({ created: racers });
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
      expect(await fixture.uses(shop.merchantId)).toHaveLength(1);
      expect(await fixture.orders(shop.sale.saleId)).toHaveLength(1);
    }
    process.stdout.write(`one key x ${racers}: ${rounds} races\n`);
  });

  it('are all had, each once, when there are fewer than buyers', async () => {
    const usesTotal = 60;
    const shop = await fixture.givenShop(500, { ...percent, usesTotal });
    const { productId } = shop.sale;
    for (let sent = 0; sent < 3; sent += 1)
      await race(Array.from({ length: racers }, () => wishOf(productId)));
    // Whoever was told that too many wanted it asks again.
    const late = await race(Array.from({ length: 10 }, () => wishOf(productId)));
    for (const { body } of late) expect(body.code ?? 'created').toBe('discount-used-up');
    const slots = (await fixture.uses(shop.merchantId)).map(({ slot }) => slot);
    expect(new Set(slots).size).toBe(usesTotal);
    expect(await fixture.orders(shop.sale.saleId)).toHaveLength(usesTotal);
  });

  it('come back at once when the goods are sold out, however many tried', async () => {
    for (let ran = 0; ran < rounds; ran += 1) {
      const shop = await fixture.givenShop(1, { ...percent, usesTotal: 60, usesPerUser: 1 });
      const answers = await race(Array.from({ length: racers }, () => wishOf(shop.sale.productId)));
      expect(outcomes(answers)).toEqual({ created: 1, '409 sold-out': racers - 1 });
      const uses = await fixture.uses(shop.merchantId);
      const [stored] = await fixture.orders(shop.sale.saleId);
      expect(uses.map(({ _id }) => _id)).toEqual([stored?.idempotencyDigest]);
      // All of the others can be had again.
      const second = await fixture.givenProductOf(shop.merchantId, 100);
      const more = await race(Array.from({ length: 60 }, () => wishOf(second.productId)));
      expect(outcomes(more)).toEqual({ created: 59, '409 discount-used-up total': 1 });
    }
    process.stdout.write(`sold out x ${racers}: ${rounds} races\n`);
  });

  it('stays with the order when twins of it are refused', async () => {
    let [created, refused] = [0, 0];
    for (let ran = 0; ran < 5 * rounds; ran += 1) {
      const shop = await fixture.givenShop(1, { ...percent, usesTotal: 1 });
      const { productId, saleId } = shop.sale;
      const userId = newId();
      // The only unit is somebody's, and comes back while the twins are at it.
      const owner = newId();
      const first = await fixture.order({ productId, key: 'first', userId: owner }).expect(201);
      const orderId = String((first.body as { order: { _id: string } }).order._id);
      const twins = Array.from({ length: 12 }, () => ({
        productId,
        key: 'k',
        code: 'half',
        userId,
      }));
      // The cancel comes before them, among them and after them: how long either takes is not known.
      const lagMs = ((ran % 20) - 10) * 5;
      const [answers] = await Promise.all([
        sleep(Math.max(0, -lagMs)).then(() => race(twins)),
        sleep(Math.max(0, lagMs))
          .then(() => fixture.cancel({ userId: owner, orderId, key: 'c' }))
          .then(() => race(twins)),
      ]);
      created += outcomes(answers).created ?? 0;
      refused += outcomes(answers)['409 sold-out'] ?? 0;
      const orders = (await fixture.orders(saleId)).filter((one) => one.userId === userId);
      const uses = await fixture.uses(shop.merchantId);
      expect(uses.map(({ _id }) => _id)).toEqual(
        orders.map((one) => String(one.idempotencyDigest)),
      );
    }
    process.stdout.write(`twins: ${created} created, ${refused} refused in ${5 * rounds} races\n`);
    // Else it was no race.
    expect(created).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });
});
