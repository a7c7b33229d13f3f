import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { startDiscounts, type DiscountFixture } from './discount-fixture.ts';

const path = '/api/merchant/settings';

describe('settings of a merchant', () => {
  let fixture: DiscountFixture;
  beforeAll(async () => {
    // It would look for uses meanwhile.
    fixture = await startDiscounts({ QUICKSALE_REPAIRS_OFF: 'discount-uses' });
  }, 60_000);
  afterAll(() => fixture?.stop());

  const given = { taxRatePercent: 7.75, shipping: { flat: 4.9, freeFrom: 50 } };

  it('add nothing until they are set, and are set by whoever has read them', async () => {
    const merchantId = newId();
    const as = fixture.asMerchant(merchantId);
    const unset = await as.get(path);
    expect([unset.status, unset.headers.etag]).toEqual([200, '"0"']);
    expect(unset.body).toEqual({
      ...{ merchantId, taxRatePercent: 0, shipping: { flat: 0 }, version: 0, updatedAt: null },
    });
    expect((await as.put(path, given)).body.code).toBe('precondition-required');
    const set = await as.put(path, given).set('If-Match', '"0"');
    expect([set.status, set.headers.etag]).toEqual([200, '"1"']);
    expect(set.body).toMatchObject({ merchantId, ...given, version: 1 });
    const read = await as.get(path);
    expect(read.body).toEqual(set.body);
    expect((await as.get(path).set('If-None-Match', '"1"')).status).toBe(304);
    expect((await as.put(path, given).set('If-Match', '"0"')).body).toMatchObject({
      ...{ status: 412, code: 'version-conflict', version: 1 },
    });
    // All of them: what is not said any more is gone.
    const less = { taxRatePercent: 0, shipping: { flat: 3 } };
    const replaced = await as.put(path, less).set('If-Match', '"1"');
    expect(replaced.body).toMatchObject({ version: 2, shipping: { flat: 3 } });
    expect((await as.get(path)).body.shipping).toEqual({ flat: 3 });
  });

  it('are changed by one of several at a time, the first time as well', async () => {
    const as = fixture.asMerchant(newId());
    for (const version of [0, 1]) {
      const tries = await Promise.all(
        [1, 2, 3, 4, 5].map((percent) =>
          as.put(path, { ...given, taxRatePercent: percent }).set('If-Match', `"${version}"`),
        ),
      );
      expect(tries.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412, 412]);
      const winner = tries.find(({ status }) => status === 200);
      expect((await as.get(path)).body).toEqual(winner?.body);
    }
  });

  it('are nobody else’s; an administrator says whose', async () => {
    const merchantId = newId();
    const admin = fixture.as(`admin-${newId()}`);
    const ofMerchant = `${path}?merchantId=${merchantId}`;
    expect((await admin.get(path)).body.errors[0].pointer).toBe('/query/merchantId');
    expect((await admin.put(ofMerchant, given).set('If-Match', '"0"')).status).toBe(200);
    expect((await fixture.asMerchant(merchantId).get(path)).body.version).toBe(1);
    const stranger = fixture.asMerchant(newId());
    expect((await stranger.get(ofMerchant)).status).toBe(404);
    expect((await stranger.put(ofMerchant, given).set('If-Match', '*')).status).toBe(404);
    expect((await fixture.as(`user-${merchantId}`).get(path)).status).toBe(403);
    expect((await fixture.as(`support-${merchantId}`).put(path, given)).status).toBe(403);
  });

  it('are not nonsense', async () => {
    const as = fixture.asMerchant(newId());
    const { shipping } = given;
    const refused: [string, object][] = [
      ['/taxRatePercent', { taxRatePercent: 100.01, shipping }],
      ['/taxRatePercent', { taxRatePercent: -1, shipping }],
      ['/taxRatePercent', { taxRatePercent: 7.755, shipping }],
      ['/shipping/flat', { taxRatePercent: 1, shipping: { flat: 1.001 } }],
      ['/shipping/freeFrom', { taxRatePercent: 1, shipping: { flat: 1, freeFrom: -1 } }],
      ['/version', { ...given, version: 3 }],
    ];
    for (const [pointer, body] of refused) {
      const answer = await as.put(path, body).set('If-Match', '*');
      expect([answer.status, answer.body.errors?.[0].pointer]).toEqual([400, pointer]);
    }
    expect((await as.get(path)).body.version).toBe(0);
  });

  it('are read once for all orders of a burst, and nothing else of prices is', async () => {
    const sale = await fixture.givenProductOf(newId(), 100);
    const commands = async () => {
      const lines = (await fixture.metrics()).split('\n');
      const counted = /^quicksale_mongo_commands_total\{collection="(.*)",command="(.*)"\} (\d+)/;
      const counts = lines.map((line) => counted.exec(line));
      return counts.reduce((sum, found) => {
        const [, collection = '', , count = 0] = found ?? [];
        const isOfPrices = /^(merchant-settings|discounts|discount-uses)$/.test(collection);
        return isOfPrices ? sum + Number(count) : sum;
      }, 0);
    };
    const before = await commands();
    const burst = Array.from({ length: 60 }, (_, index) =>
      fixture.order({ ...sale, key: `burst-${index}` }),
    );
    const statuses = (await Promise.all(burst)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([201]));
    expect((await commands()) - before).toBe(1);
  });

  it('are those of the next order where they were set', async () => {
    const merchantId = newId();
    const sale = await fixture.givenProductOf(merchantId, 9);
    const totals: number[] = [];
    for (const [taxRatePercent, flat] of [
      [0, 0],
      [19, 4.9],
      [0, 5],
    ]) {
      await fixture.setSettings(merchantId, { taxRatePercent, shipping: { flat } });
      const { body } = await fixture.order({ ...sale, key: 'k' }).expect(201);
      totals.push((body as { order: { totalAmount: number } }).order.totalAmount);
    }
    expect(totals).toEqual([49.99, 64.39, 54.99]);
  });
});
