import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import { testNamespace } from '@quicksale/shared/testing';
import {
  createCheckoutIndexes,
  createMongoCheckoutPlans,
} from '../src/cart/mongo-checkout-plans.ts';
import { createMongoCartStore } from '../src/cart/mongo-cart-store.ts';
import { cartStoreSuite, checkoutPlansSuite } from './cart-store-suite.ts';

let mongo: Mongo;
beforeAll(async () => {
  const log = createLogger({ service: 'test', level: 'silent' });
  mongo = connectMongo({ url: process.env.MONGO_URL ?? '', namespace: testNamespace('cart'), log });
  await mongo.start();
  await createCheckoutIndexes(mongo);
});
afterAll(() => mongo?.stop());

describe('carts in MongoDB', () => {
  cartStoreSuite(() => createMongoCartStore(mongo));
});

describe('checkout plans in MongoDB', () => {
  checkoutPlansSuite(() => createMongoCheckoutPlans(mongo));

  it('go an hour after their keys', async () => {
    const createdAt = new Date();
    await createMongoCheckoutPlans(mongo).keep({
      ...{ key: 'k', digest: 'd', fingerprint: 'f', userId: 'u', sales: [], unsold: [] },
      ...{ changes: [], createdAt },
    });
    const checkouts = mongo.db().collection<{ _id: string }>('checkouts');
    expect(await checkouts.findOne({ _id: 'd' })).toMatchObject({
      expiresAt: new Date(createdAt.getTime() + 25 * 3_600_000),
    });
    expect(await checkouts.indexes()).toContainEqual(
      expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }),
    );
  });
});

it('says that nothing can be asked while MongoDB is away', async () => {
  const away = { db: () => mongo.db(), isReachable: () => false };
  const code = { code: 'dependency-unavailable' };
  await expect(createMongoCartStore(away).read('u')).rejects.toMatchObject(code);
  await expect(createMongoCheckoutPlans(away).find('d')).rejects.toMatchObject(code);
});
