import { newId } from '@quicksale/shared/testing';
import type supertest from 'supertest';
import type { Overrides } from '../src/service.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';

export interface Sale {
  productId: string;
  saleId: string;
}

type Method = (path: string) => supertest.Test;
type MethodWithBody = (path: string, body: object) => supertest.Test;

/** A use as it is stored. */
export interface StoredUse {
  _id: string;
  discountId: string;
  userId: string;
  saleIds: string[];
  fingerprint: string;
  slot?: number;
  userSlot?: number;
  inFlight: number;
  takenAt: Date;
  checkAt?: Date;
}

export interface DiscountFixture extends OrderFixture {
  as(token: string): {
    get: Method;
    post: MethodWithBody;
    put: MethodWithBody;
    patch: MethodWithBody;
  };
  asMerchant(merchantId: string): ReturnType<DiscountFixture['as']>;
  /** A product of this merchant, in his standing sale unless the sale has a deadline. */
  givenProductOf(
    merchantId: string,
    stock: number,
    settings?: Parameters<OrderFixture['givenProduct']>[1],
  ): Promise<Sale>;
  /** A merchant with a product and, if it is given, a discount. */
  givenShop(
    stock: number,
    discount?: object,
    settings?: Parameters<OrderFixture['givenProduct']>[1],
  ): Promise<{ merchantId: string; sale: Sale }>;
  givenDiscount(merchantId: string, discount: object): Promise<string>;
  changeDiscount(merchantId: string, code: string, change: object): Promise<void>;
  setSettings(merchantId: string, settings: object): Promise<void>;
  /** One unit, of a new buyer unless one is named. */
  order(order: {
    productId: string;
    key: string;
    code?: string;
    userId?: string;
    quantity?: number;
  }): supertest.Test;
  /** All uses of the discounts of a merchant. */
  uses(merchantId: string): Promise<StoredUse[]>;
  /** What a dead process left. */
  leaveUse(
    merchantId: string,
    code: string,
    use: { id: string; userId: string; saleId: string },
  ): Promise<void>;
  /** Makes every use so old that the sweep looks at it, and would give up what nobody has. */
  ageUses(merchantId: string): Promise<void>;
}

/** order-service on real stores, and what merchants of discounts do. */
export async function startDiscounts(
  overrides: Readonly<Record<string, string>> = {},
  parts: Overrides = {},
): Promise<DiscountFixture> {
  const fixture = await startOrders(overrides, parts);
  const { request, mongo } = fixture;

  const as: DiscountFixture['as'] = (token) => {
    const signed = (test: supertest.Test) => test.set('Authorization', `Bearer ${token}`);
    return {
      get: (path) => signed(request.get(path)),
      post: (path, body) => signed(request.post(path)).send(body),
      put: (path, body) => signed(request.put(path)).send(body),
      patch: (path, body) => signed(request.patch(path)).send(body),
    };
  };
  const asMerchant = (merchantId: string) => as(`merchant-${merchantId}`);
  const discounts = () => mongo.db().collection('discounts');
  const stored = () => mongo.db().collection<StoredUse>('discount-uses');
  const idsOf = async (merchantId: string) =>
    (await discounts().find({ merchantId }).toArray()).map(({ _id }) => String(_id));

  const givenProductOf: DiscountFixture['givenProductOf'] = async (merchantId, stock, settings) => {
    const sale = await fixture.givenProduct(stock, settings);
    const _id = new mongo.connection.base.mongo.ObjectId(sale.productId);
    await mongo.db().collection('products').updateOne({ _id }, { $set: { merchantId } });
    return sale;
  };
  const givenDiscount: DiscountFixture['givenDiscount'] = async (merchantId, discount) => {
    const made = await asMerchant(merchantId).post('/api/merchant/discounts', discount);
    if (made.status !== 201) throw new Error(made.text);
    return String((made.body as { _id: string })._id);
  };

  return {
    ...fixture,
    as,
    asMerchant,
    givenProductOf,
    givenDiscount,
    givenShop: async (stock, discount, settings) => {
      const merchantId = newId();
      const sale = await givenProductOf(merchantId, stock, settings);
      if (discount) await givenDiscount(merchantId, discount);
      return { merchantId, sale };
    },
    changeDiscount: async (merchantId, code, change) => {
      const found = await discounts().findOne({ merchantId, code });
      await asMerchant(merchantId)
        .patch(`/api/merchant/discounts/${String(found?._id)}`, change)
        .set('If-Match', '*')
        .expect(200);
    },
    setSettings: async (merchantId, settings) => {
      await asMerchant(merchantId)
        .put('/api/merchant/settings', settings)
        .set('If-Match', '*')
        .expect(200);
    },
    order: ({ productId, key, code, userId = newId(), quantity = 1 }) =>
      as(`user-${userId}`)
        .post('/api/orders', {
          items: [{ productId, quantity }],
          ...(code && { discountCode: code }),
        })
        .set('Idempotency-Key', key),
    uses: async (merchantId) =>
      stored()
        .find({ discountId: { $in: await idsOf(merchantId) } })
        .toArray(),
    leaveUse: async (merchantId, code, { id, userId, saleId }) => {
      const found = await discounts().findOne({ merchantId, code });
      const takenAt = new Date();
      await stored().insertOne({
        ...{ _id: id, discountId: String(found?._id), userId, saleIds: [saleId], slot: 1 },
        ...{ fingerprint: 'another', inFlight: 1, takenAt, checkAt: takenAt },
      });
    },
    ageUses: async (merchantId) => {
      const long = new Date(Date.now() - 16 * 60_000);
      await stored().updateMany(
        { discountId: { $in: await idsOf(merchantId) } },
        { $set: { takenAt: long, checkAt: long } },
      );
    },
  };
}
