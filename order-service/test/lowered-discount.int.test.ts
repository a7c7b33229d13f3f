import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { startDiscounts, type DiscountFixture } from './discount-fixture.ts';

let fixture: DiscountFixture;
beforeAll(async () => {
  fixture = await startDiscounts({}, { useSweepMs: 200 });
}, 60_000);
afterAll(() => fixture?.stop());

it('a discount that is lowered is used no more often than that', async () => {
  const { merchantId, sale } = await fixture.givenShop(100, {
    ...{ code: 'TEN', kind: 'percentage', value: 10, usesTotal: 4 },
  });
  const { productId } = sale;
  const buyers = Array.from({ length: 4 }, () => newId());
  const placed: { userId: string; orderId: string }[] = [];
  for (const userId of buyers) {
    const answer = await fixture.order({ productId, key: newId(), code: 'TEN', userId });
    expect(answer.status).toBe(201);
    placed.push({ userId, orderId: answer.body.order._id as string });
  }
  await fixture.changeDiscount(merchantId, 'TEN', { usesTotal: 2 });
  // The first comes back.
  const [first] = placed;
  if (!first) return;
  expect((await fixture.cancel({ ...first, key: newId() })).status).toBe(200);
  await fixture.ageUses(merchantId);
  await eventually(async () => expect(await fixture.uses(merchantId)).toHaveLength(3), 20_000);
  const order = () => fixture.order({ productId, key: newId(), code: 'TEN' });
  const more = await order();
  expect([more.status, more.body.code]).toEqual([409, 'discount-used-up']);
  // Two more come back: then there is room for one.
  for (const one of placed.slice(1, 3))
    expect((await fixture.cancel({ ...one, key: newId() })).status).toBe(200);
  await fixture.ageUses(merchantId);
  await eventually(async () => expect(await fixture.uses(merchantId)).toHaveLength(1), 20_000);
  const last = await Promise.all([order(), order(), order()]);
  expect(last.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
}, 60_000);
