import { describe } from '@jest/globals';
import { orderStoreSuite } from '../testing/order-store-suite.ts';
import { createMemoryOrderStore } from './memory-order-store.ts';

describe('the order store in memory', () => {
  const store = createMemoryOrderStore();
  orderStoreSuite(() => store);
});
