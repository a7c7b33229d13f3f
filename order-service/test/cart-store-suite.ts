import { expect, it } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import type { CartStore } from '../src/cart/cart-store.ts';
import { newCart, type Cart } from '../src/cart/cart.ts';
import type { CheckoutPlan, CheckoutPlans } from '../src/cart/checkout-plan.ts';

/** What every cart store has to do; run against the one in memory and the one in MongoDB. */
export function cartStoreSuite(store: () => CartStore): void {
  const at = new Date(Date.UTC(2026, 0, 1));
  const cart = (fields: Partial<Cart> = {}): Cart => ({
    ...newCart(newId()),
    version: 1,
    updatedAt: at,
    items: [{ productId: newId(), quantity: 2, price: 4999, addedAt: at }],
    ...fields,
  });

  it('keeps a cart as it is', async () => {
    const whole = cart({
      items: [{ productId: newId(), quantity: 2, price: 0, holdId: 'h', addedAt: at }],
      checkouts: [{ digest: 'd', saleIds: [newId(), newId()] }],
      checkingOut: { digest: 'd', since: at },
    });
    expect(await store().save(whole)).toBe(true);
    expect(await store().read(whole.userId)).toEqual(whole);
    expect(await store().read(newId())).toBeUndefined();
  });

  it('takes the next version only', async () => {
    const first = cart();
    const of = (version: number) => ({ ...first, items: [], version });
    expect(await store().save(of(2))).toBe(false);
    expect(await store().save(first)).toBe(true);
    for (const version of [1, 3]) expect(await store().save(of(version))).toBe(false);
    expect(await store().read(first.userId)).toEqual(first);
    expect(await store().save(of(2))).toBe(true);
    expect(await store().save(of(2))).toBe(false);
    expect(await store().read(first.userId)).toEqual(of(2));
  });

  it.each([1, 2])('takes version %i of one of many writers', async (version) => {
    const first = cart();
    if (version === 2) await store().save(first);
    const saved = await Promise.all(
      Array.from({ length: 8 }, (_, quantity) =>
        store().save({
          ...first,
          version,
          items: [{ productId: 'p', quantity, price: 1, addedAt: at }],
        }),
      ),
    );
    expect(saved.filter(Boolean)).toHaveLength(1);
    const [item] = (await store().read(first.userId))?.items ?? [];
    expect(item?.quantity).toBe(saved.indexOf(true));
  });
}

/** What every keeper of checkout plans has to do. */
export function checkoutPlansSuite(plans: () => CheckoutPlans): void {
  const plan = (fields: Partial<CheckoutPlan> = {}): CheckoutPlan => ({
    ...{ key: 'k', digest: newId(), fingerprint: 'f', userId: newId(), unsold: [], changes: [] },
    sales: [
      {
        ...{ saleId: newId(), orderDigest: newId(), holdId: 'h' },
        items: [{ productId: newId(), quantity: 2, price: 4999 }],
      },
    ],
    shippingAddress: { line1: '1', city: 'C', postalCode: '1', country: 'DE' },
    createdAt: new Date(),
    ...fields,
  });

  it('keeps a plan as it is', async () => {
    const whole = plan({ changes: [{ productId: newId(), was: 1, now: 2 }] });
    expect(await plans().find(whole.digest)).toBeUndefined();
    expect(await plans().keep(whole)).toEqual(whole);
    expect(await plans().find(whole.digest)).toEqual(whole);
  });

  it('keeps the first of many', async () => {
    const { digest } = plan();
    const tries = Array.from({ length: 8 }, () => plan({ digest }));
    const kept = await Promise.all(tries.map((one) => plans().keep(one)));
    expect(new Set(kept.map(({ userId }) => userId)).size).toBe(1);
    expect(await plans().find(digest)).toEqual(kept[0]);
    expect(await plans().keep(plan({ digest }))).toEqual(kept[0]);
    await plans().abandon(digest);
    expect(await plans().find(digest)).toEqual({ ...kept[0], abandoned: true });
  });
}
