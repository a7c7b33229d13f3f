import { afterAll, beforeAll, describe } from '@jest/globals';
import { createLogger } from '../src/log/index.ts';
import { connectMongo } from '../src/mongo/index.ts';
import { createMongoOrderStore, createOrderIndexes } from '../src/orders/index.ts';
import { testNamespace } from '../src/testing/index.ts';
import { orderStoreSuite } from '../src/testing/order-store-suite.ts';

describe('the order store in MongoDB', () => {
  const mongo = connectMongo({
    url: process.env.MONGO_URL ?? '',
    namespace: testNamespace('orders'),
    log: createLogger({ service: 'test', level: 'silent' }),
  });
  beforeAll(async () => {
    await mongo.start();
    await createOrderIndexes(mongo);
  });
  afterAll(() => mongo.stop());

  const store = createMongoOrderStore(mongo);
  orderStoreSuite(() => store);
});
