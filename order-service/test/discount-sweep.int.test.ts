import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { startDiscounts, type DiscountFixture } from './discount-fixture.ts';
import type { Twin } from './order-fixture.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import { startTokenIssuer } from './token-issuer.ts';

jest.setTimeout(120_000);

const once = { code: 'once', kind: 'percentage', value: 10, usesTotal: 1 };
const useSweepMs = 200;
/** Far longer than the pause between two rounds of the sweep. */
const sweptMs = 20_000;
/** Many rounds. */
const noticeMs = 10 * useSweepMs;

describe('a use of a discount', () => {
  let fixture: DiscountFixture;
  beforeAll(async () => {
    fixture = await startDiscounts({}, { useSweepMs });
  }, 60_000);
  afterAll(() => fixture?.stop());

  const expectUsedUp = async (productId: string) => {
    const { body } = await fixture.order({ productId, key: newId(), code: 'once' });
    expect(body).toMatchObject({ code: 'discount-used-up', scope: 'total', status: 409 });
  };
  const expectFree = (productId: string) =>
    eventually(async () => {
      await fixture.order({ productId, key: newId(), code: 'once' }).expect(201);
    }, sweptMs);

  it('comes back when its order is cancelled, and is nobody’s twice', async () => {
    const { merchantId, sale } = await fixture.givenShop(5, once);
    const wish = { productId: sale.productId, userId: newId(), key: 'k', code: 'once' };
    const placed = await fixture.order(wish).expect(201);
    const { order } = placed.body as { order: { _id: string } };
    await expectUsedUp(sale.productId);
    await fixture.cancel({ userId: wish.userId, orderId: order._id, key: 'c' }).expect(200);
    await fixture.ageUses(merchantId);
    await expectFree(sale.productId);
    // The first answer stands, and takes nothing.
    expect((await fixture.order(wish)).text).toBe(placed.text);
    expect(await fixture.uses(merchantId)).toHaveLength(1);
  });

  it('comes back when its order is not paid in time', async () => {
    const { merchantId, sale } = await fixture.givenShop(5, once, { holdMs: 300 });
    await fixture.order({ ...sale, key: 'k', code: 'once' }).expect(201);
    await eventually(async () => {
      const [stored] = await fixture.orders(sale.saleId);
      expect(stored?.status).toBe('EXPIRED');
    }, 10_000);
    await fixture.ageUses(merchantId);
    await expectFree(sale.productId);
  });

  it('stays as long as its order may be shipped, and is final from then on', async () => {
    const { merchantId, sale } = await fixture.givenShop(5, once);
    await fixture.order({ ...sale, key: 'k', code: 'once' }).expect(201);
    const orders = fixture.mongo.db().collection('orders');
    for (const status of ['PENDING', 'CONFIRMED', 'PROCESSING']) {
      await orders.updateOne({ saleId: sale.saleId }, { $set: { status } });
      const before = Date.now();
      await fixture.ageUses(merchantId);
      await eventually(async () => {
        const [use] = await fixture.uses(merchantId);
        expect(use?.checkAt?.getTime()).toBeGreaterThan(before);
      }, sweptMs);
    }
    await orders.updateOne({ saleId: sale.saleId }, { $set: { status: 'SHIPPED' } });
    await fixture.ageUses(merchantId);
    await eventually(async () => {
      const [use] = await fixture.uses(merchantId);
      expect(use).toMatchObject({ slot: 1 });
      expect(use).not.toHaveProperty('checkAt');
    }, sweptMs);
    await expectUsedUp(sale.productId);
  });

  it('without an order stays while the ledger of its sale cannot be believed', async () => {
    const { merchantId, sale } = await fixture.givenShop(5, once);
    const use = { id: newId(), userId: newId(), saleId: sale.saleId };
    await fixture.leaveUse(merchantId, 'ONCE', use);
    const snapshot = await fixture.ledger.snapshot(sale.saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    expect(await fixture.ledger.fence(sale.saleId, snapshot.epoch)).toBe('fenced');
    const before = Date.now();
    await fixture.ageUses(merchantId);
    await eventually(async () => {
      const [left] = await fixture.uses(merchantId);
      expect(left?.checkAt?.getTime()).toBeGreaterThan(before);
    }, sweptMs);
    const lease = fixture.keys.sale(sale.saleId).sale;
    await fixture.servers.serverOf(lease).client.hset(lease, 'fenced', '0');
    await fixture.ageUses(merchantId);
    await eventually(async () => expect(await fixture.uses(merchantId)).toEqual([]), sweptMs);
  });
});

describe('a process that is killed with a use in its hands', () => {
  let fixture: DiscountFixture;
  let issuer: Awaited<ReturnType<typeof startTokenIssuer>>;
  const running: { stop(): Promise<void> }[] = [];
  beforeAll(async () => {
    fixture = await startDiscounts({ QUICKSALE_REPAIRS_OFF: 'discount-uses' });
    issuer = await startTokenIssuer();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
  }, 30_000);
  afterAll(async () => {
    await issuer?.stop();
    await fixture?.stop();
  });

  async function startDoomed(): Promise<OrderProcess> {
    const started = await startOrderProcess({
      NAMESPACE: fixture.namespace,
      INTERNAL_KEY: 'an internal key of a test',
      JWKS_URL: issuer.jwksUrl,
      QUICKSALE_FAULT: 'after-discount-taken',
    });
    running.push(started);
    return started;
  }

  /** Whoever comes after it. */
  async function startNext(repairsOff = ''): Promise<Twin> {
    const started = await fixture.startTwin({ QUICKSALE_REPAIRS_OFF: repairsOff }, { useSweepMs });
    running.push(started);
    return started;
  }

  async function dieWithUse() {
    const shop = await fixture.givenShop(5, once);
    const { productId } = shop.sale;
    const wish = { productId, userId: newId(), key: 'k', code: 'once' };
    const doomed = await startDoomed();
    const sent = fetch(`${doomed.url}/api/orders`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${issuer.tokenOf(wish.userId)}`,
        'idempotency-key': wish.key,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ items: [{ productId, quantity: 1 }], discountCode: 'once' }),
    });
    await expect(sent).rejects.toThrow();
    expect(await doomed.ended).toBe('SIGKILL');
    expect(await fixture.uses(shop.merchantId)).toMatchObject([{ slot: 1, inFlight: 1 }]);
    expect(await fixture.orders(shop.sale.saleId)).toEqual([]);
    return { ...shop, wish };
  }

  it('leaves it to the same key', async () => {
    const { merchantId, sale, wish } = await dieWithUse();
    const other = await fixture.order({ ...wish, userId: newId() });
    expect(other.body.code).toBe('discount-used-up');
    await fixture.order(wish).expect(201);
    expect(await fixture.uses(merchantId)).toMatchObject([{ slot: 1, inFlight: 2 }]);
    expect(await fixture.orders(sale.saleId)).toMatchObject([{ discount: 500 }]);
  });

  it('leaves it to the sweep, which gives it back, and to nobody without one', async () => {
    const { merchantId, wish } = await dieWithUse();
    await fixture.ageUses(merchantId);
    const crippled = await startNext('discount-uses');
    const isBack = (limitMs: number) =>
      eventually(async () => expect(await fixture.uses(merchantId)).toEqual([]), limitMs);
    await expect(isBack(noticeMs)).rejects.toThrow();
    await crippled.stop();
    await startNext();
    await isBack(sweptMs);
    await fixture.order({ ...wish, userId: newId() }).expect(201);
  });

  it('leaves it for a while to whoever may still be at it', async () => {
    const { merchantId } = await dieWithUse();
    const taken = new Date(Date.now() - 5 * 60_000);
    const uses = fixture.mongo.db().collection('discount-uses');
    await uses.updateMany({}, { $set: { takenAt: taken, checkAt: taken } });
    const before = Date.now();
    await startNext();
    await eventually(async () => {
      const [use] = await fixture.uses(merchantId);
      expect(use?.checkAt?.getTime()).toBeGreaterThan(before);
    }, sweptMs);
  });
});
