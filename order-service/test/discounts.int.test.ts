import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { idempotencyDigest } from '@quicksale/shared/idempotency';
import { newId } from '@quicksale/shared/testing';
import { startDiscounts, type DiscountFixture } from './discount-fixture.ts';

interface ListAnswer {
  headers: Record<string, string>;
  body: { data: { code: string; uses: number }[]; page: { next: string | null } };
}

describe('discount codes of a merchant', () => {
  let fixture: DiscountFixture;
  beforeAll(async () => {
    fixture = await startDiscounts();
  }, 60_000);
  afterAll(() => fixture?.stop());

  const ten = { code: 'ten', kind: 'percentage', value: 10 };

  it('are made, read, listed and changed by their merchant', async () => {
    const merchantId = newId();
    const as = fixture.asMerchant(merchantId);
    const made = await as.post('/api/merchant/discounts', {
      ...ten,
      usesTotal: 5,
      endsAt: '2030-01-01T00:00:00+01:00',
    });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      _id: made.body._id,
      merchantId,
      code: 'TEN',
      kind: 'percentage',
      value: 10,
      usesTotal: 5,
      usesPerUser: null,
      startsAt: null,
      endsAt: '2029-12-31T23:00:00.000Z',
      active: true,
      uses: 0,
      version: 1,
      createdAt: made.body.createdAt,
    });
    const path = `/api/merchant/discounts/${made.body._id}`;
    expect(made.headers.location).toBe(path);
    const read = await as.get(path);
    expect([read.status, read.headers.etag]).toEqual([200, '"1-0"']);
    expect(read.body).toEqual(made.body);
    expect((await as.get(path).set('If-None-Match', '"1-0"')).status).toBe(304);

    const changed = await as
      .patch(path, { active: false, endsAt: null, usesTotal: 9 })
      .set('If-Match', '"1-0"');
    expect(changed.body).toEqual({
      ...made.body,
      ...{ active: false, endsAt: null, usesTotal: 9, version: 2 },
    });
    expect((await as.get(path)).body).toEqual(changed.body);
  });

  it('are taken once for each merchant', async () => {
    const [one, other] = [fixture.asMerchant(newId()), fixture.asMerchant(newId())];
    const path = '/api/merchant/discounts';
    const tries = await Promise.all([1, 2, 3, 4, 5].map(() => one.post(path, ten)));
    const made = tries.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    for (const { body } of tries.filter(({ status }) => status !== 201))
      expect(body).toMatchObject({
        code: 'discount-code-taken',
        status: 409,
        discountId: made[0]?.body._id,
      });
    expect((await other.post(path, ten)).status).toBe(201);
  });

  it('are listed in pages, newest first, with their uses', async () => {
    const merchantId = newId();
    const as = fixture.asMerchant(merchantId);
    for (const code of ['one', 'two', 'three', 'four', 'five'])
      expect((await as.post('/api/merchant/discounts', { ...ten, code })).status).toBe(201);
    const sale = await fixture.givenProductOf(merchantId, 10);
    for (const key of ['a', 'b']) await fixture.order({ ...sale, key, code: 'three' }).expect(201);
    const seen: [string, number][] = [];
    let next: string | undefined = '/api/merchant/discounts?limit=2';
    while (next !== undefined) {
      const { body, headers } = (await as.get(next)) as ListAnswer;
      for (const { code, uses } of body.data) seen.push([code, uses]);
      next = /<(.*)>; rel="next"/.exec(String(headers.link))?.[1];
      expect(typeof next === 'string').toBe(body.page.next !== null);
    }
    expect(seen).toEqual([
      ['FIVE', 0],
      ['FOUR', 0],
      ['THREE', 2],
      ['TWO', 0],
      ['ONE', 0],
    ]);
  });

  it('are nobody else’s; an administrator says whose', async () => {
    const merchantId = newId();
    const owner = fixture.asMerchant(merchantId);
    const { body } = await owner.post('/api/merchant/discounts', ten);
    const path = `/api/merchant/discounts/${body._id}`;
    const stranger = fixture.asMerchant(newId());
    const listOfOwner = `/api/merchant/discounts?merchantId=${merchantId}`;
    expect((await stranger.get(path)).status).toBe(404);
    expect((await stranger.patch(path, { active: false }).set('If-Match', '*')).status).toBe(404);
    expect((await stranger.get(listOfOwner)).status).toBe(404);
    expect((await stranger.post(listOfOwner, ten)).status).toBe(404);
    expect((await stranger.get('/api/merchant/discounts')).body.data).toEqual([]);
    const admin = fixture.as(`admin-${newId()}`);
    expect((await admin.get(path)).body.code).toBe('TEN');
    expect((await admin.get(listOfOwner)).body.data).toHaveLength(1);
    const nobody = await admin.get('/api/merchant/discounts');
    expect(nobody.body).toMatchObject({ status: 400, code: 'validation-failed' });
    expect(nobody.body.errors[0].pointer).toBe('/query/merchantId');
    const second = await admin.post(listOfOwner, { ...ten, code: 'second' });
    expect(second.body.merchantId).toBe(merchantId);
    expect((await admin.patch(path, { active: false }).set('If-Match', '*')).status).toBe(200);
    for (const token of [`user-${newId()}`, `support-${newId()}`])
      expect((await fixture.as(token).get(path)).status).toBe(403);
  });

  it('are not made of nonsense', async () => {
    const as = fixture.asMerchant(newId());
    const refused: [string, object][] = [
      ['/code', { code: 'no' }],
      ['/code', { code: 'a b c' }],
      ['/value', { value: 0 }],
      ['/value', { value: 100.01 }],
      ['/value', { value: 1.005 }],
      ['/currency', { kind: 'amount' }],
      ['/currency', { currency: 'USD' }],
      ['/usesTotal', { usesTotal: 0 }],
      ['/usesPerUser', { usesPerUser: 1.5 }],
      ['/endsAt', { startsAt: '2026-01-02T00:00:00Z', endsAt: '2026-01-02T00:00:00Z' }],
      ['/drawn', { drawn: 3 }],
    ];
    for (const [pointer, change] of refused) {
      const answer = await as.post('/api/merchant/discounts', { ...ten, ...change });
      const { errors = [] } = answer.body as { errors?: { pointer: string }[] };
      expect([answer.status, errors.map((error) => error.pointer)]).toEqual([400, [pointer]]);
    }
  });

  it('are changed only by whoever has read them, and only in what may change', async () => {
    const as = fixture.asMerchant(newId());
    const startsAt = '2026-01-02T00:00:00Z';
    const { body } = await as.post('/api/merchant/discounts', { ...ten, startsAt });
    const path = `/api/merchant/discounts/${body._id}`;
    expect((await as.patch(path, { active: false })).body.code).toBe('precondition-required');
    const tries = await Promise.all(
      [1, 2, 3, 4].map(() => as.patch(path, { active: false }).set('If-Match', '"1"')),
    );
    expect(tries.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
    const current = (change: object) => as.patch(path, change).set('If-Match', '"2"');
    for (const change of [{ value: 20 }, { code: 'x11' }, { usesPerUser: 3 }, { kind: 'amount' }])
      expect((await current(change)).status).toBe(400);
    expect((await current({ usesTotal: 5 })).body.errors[0].pointer).toBe('/usesTotal');
    expect((await current({ endsAt: startsAt })).body.errors[0].pointer).toBe('/endsAt');
  });
});

describe('an order with a discount code', () => {
  let fixture: DiscountFixture;
  beforeAll(async () => {
    fixture = await startDiscounts();
  }, 60_000);
  afterAll(() => fixture?.stop());

  it('costs what the code, the tax and the shipping make of it, then and for ever', async () => {
    const { merchantId, sale } = await fixture.givenShop(20, {
      code: 'save',
      kind: 'percentage',
      value: 10,
    });
    const settings = { taxRatePercent: 19, shipping: { flat: 4.9, freeFrom: 100 } };
    await fixture.setSettings(merchantId, settings);
    const userId = newId();
    const body = {
      items: [{ productId: sale.productId, quantity: 2 }],
      discountCode: 'save',
    };
    const post = () =>
      fixture.as(`user-${userId}`).post('/api/orders', body).set('Idempotency-Key', 'k');
    const first = await post();
    // 99.98 - 10.00 = 89.98; tax 17.10 (17.0962), shipping 4.90.
    expect([first.status, first.body.order.totalAmount]).toEqual([201, 111.98]);
    const read = await fixture.read({ userId, orderId: first.body.order._id });
    expect(read.body).toMatchObject({
      ...{ subtotal: 99.98, discount: 10, discountCode: 'SAVE', taxAmount: 17.1 },
      ...{ shippingCost: 4.9, totalAmount: 111.98 },
    });
    await fixture.setSettings(merchantId, { taxRatePercent: 7, shipping: { flat: 0 } });
    await fixture.changeDiscount(merchantId, 'SAVE', { active: false });
    const again = await post();
    expect([again.text, again.headers['idempotent-replayed']]).toEqual([first.text, 'true']);
    const other = await fixture.order({ ...sale, userId, key: 'plain' });
    expect(other.body.order.totalAmount).toBe(53.49);
    const plain = await fixture.read({ userId, orderId: other.body.order._id });
    expect(plain.body).not.toHaveProperty('discountCode');
    expect(await fixture.uses(merchantId)).toHaveLength(1);
  });

  it('is made without terms where nothing is added', async () => {
    const sale = await fixture.givenProductOf(newId(), 1);
    await fixture.order({ ...sale, key: 'bare' }).expect(201);
    const [stored] = await fixture.orders(sale.saleId);
    expect(stored).toMatchObject({ totalAmount: 4999 });
    expect(stored).not.toHaveProperty('pricing');
  });

  it('the house takes without terms', async () => {
    const { merchantId, sale } = await fixture.givenShop(3);
    await fixture.setSettings(merchantId, { taxRatePercent: 19, shipping: { flat: 5 } });
    const items = [{ productId: sale.productId, quantity: 1 }];
    const house = { operationId: newId(), saleId: sale.saleId, by: merchantId };
    await fixture.placeForHouse({ ...house, reason: 'damage', items }).expect(200);
    const [stored] = await fixture.orders(sale.saleId);
    expect(stored).toMatchObject({ kind: 'house', totalAmount: 0, taxAmount: 0, shippingCost: 0 });
    expect(stored).not.toHaveProperty('pricing');
  });

  it('is told one thing of every code that it cannot have', async () => {
    const { merchantId, sale } = await fixture.givenShop(9);
    const make = (code: string, more: object) =>
      fixture.givenDiscount(merchantId, { code, kind: 'percentage', value: 5, ...more });
    await make('inactive', { active: false });
    await make('early', { startsAt: '2099-01-01T00:00:00Z' });
    await make('late', { endsAt: '2026-01-01T00:00:00Z' });
    await make('euros', { kind: 'amount', value: 5, currency: 'EUR' });
    await fixture.givenDiscount(newId(), { code: 'others', kind: 'percentage', value: 5 });
    const texts = new Set<string>();
    for (const code of ['inactive', 'early', 'late', 'euros', 'others', 'unheard-of']) {
      const { status, body } = await fixture.order({ ...sale, key: code, code });
      expect([status, body.code]).toEqual([422, 'unknown-discount']);
      texts.add(JSON.stringify({ ...body, requestId: '' }));
    }
    expect(texts.size).toBe(1);
    expect(await fixture.uses(merchantId)).toEqual([]);
    expect(await fixture.orders(sale.saleId)).toEqual([]);
    const malformed = await fixture.order({ ...sale, key: 'm', code: 'no such' });
    expect(malformed.body).toMatchObject({ status: 400, code: 'validation-failed' });
    // The key is as good as new.
    await fixture.order({ ...sale, key: 'late' }).expect(201);
  });

  it('of an amount is free at the least', async () => {
    const { sale } = await fixture.givenShop(2, {
      ...{ code: 'big', kind: 'amount', value: 80, currency: 'USD' },
    });
    const { body } = await fixture.order({ ...sale, key: 'k', code: 'BIG' });
    expect(body.order.totalAmount).toBe(0);
  });

  it('is refused under a key that was used without the code, and takes no use', async () => {
    const { merchantId, sale } = await fixture.givenShop(3, {
      ...{ code: 'once', kind: 'percentage', value: 5 },
    });
    const userId = newId();
    await fixture.order({ ...sale, userId, key: 'k' }).expect(201);
    const { body } = await fixture.order({ ...sale, userId, key: 'k', code: 'once' });
    expect(body.code).toBe('idempotency-key-reused');
    expect(await fixture.uses(merchantId)).toEqual([]);
  });

  it('under a key whose use is of another request is refused', async () => {
    const { merchantId, sale } = await fixture.givenShop(3, {
      ...{ code: 'once', kind: 'percentage', value: 5 },
    });
    const userId = newId();
    const digest = idempotencyDigest({ userId, route: 'POST /api/orders', key: 'k' });
    // What an attempt left of which nobody knows yet what became of it.
    await fixture.leaveUse(merchantId, 'ONCE', { id: digest, userId, saleId: sale.saleId });
    const { body } = await fixture.order({ ...sale, userId, key: 'k', code: 'once' });
    expect(body.code).toBe('idempotency-key-reused');
    expect(await fixture.orders(sale.saleId)).toEqual([]);
  });
});
