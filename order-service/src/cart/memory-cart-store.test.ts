import { describe } from '@jest/globals';
import { cartStoreSuite, checkoutPlansSuite } from '../../test/cart-store-suite.ts';
import { createMemoryCartStore } from './memory-cart-store.ts';
import { createMemoryCheckoutPlans } from './memory-checkout-plans.ts';

describe('carts in memory', () => {
  const store = createMemoryCartStore();
  cartStoreSuite(() => store);
});

describe('checkout plans in memory', () => {
  const plans = createMemoryCheckoutPlans();
  checkoutPlansSuite(() => plans);
});
