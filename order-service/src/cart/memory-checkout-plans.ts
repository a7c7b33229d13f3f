import type { CheckoutPlan, CheckoutPlans } from './checkout-plan.ts';

/** Checkout plans in memory. */
export function createMemoryCheckoutPlans(): CheckoutPlans {
  const plans = new Map<string, CheckoutPlan>();
  return {
    find: async (digest) => structuredClone(plans.get(digest)),
    keep: async (plan) => {
      const kept = plans.get(plan.digest) ?? structuredClone(plan);
      plans.set(plan.digest, kept);
      return structuredClone(kept);
    },
    abandon: async (digest) => {
      const plan = plans.get(digest);
      if (plan) plans.set(digest, { ...plan, abandoned: true });
    },
  };
}
