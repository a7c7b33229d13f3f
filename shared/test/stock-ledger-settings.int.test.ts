import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { HoldRecord, ReserveReply } from '@quicksale/shared/stock-ledger';
import { givenSale, objectId, openLedger, request, saleSettings } from './ledger-fixture.ts';
import type { LedgerFixture } from './ledger-fixture.ts';

const hourMs = 3_600_000;

jest.setTimeout(20_000);

let fixture: LedgerFixture;
beforeAll(async () => {
  fixture = await openLedger();
});
afterAll(() => fixture.close());

const ledgerNow = async () => {
  const [seconds = 0, micros = 0] = (await fixture.connection.client.time()).map(Number);
  return seconds * 1000 + Math.floor(micros / 1000);
};
const timed = async (over: object = {}) => ({ opensAtMs: (await ledgerNow()) - 1_000, ...over });

function recordOf(reply: ReserveReply | undefined): HoldRecord {
  if (reply?.status !== 'reserved') throw new Error(`not reserved: ${JSON.stringify(reply)}`);
  return reply.record;
}

/** Makes a call that must leave every key as it was. */
async function withoutTrace<T>(call: () => Promise<T>): Promise<T> {
  const before = await fixture.dump();
  const result = await call();
  expect(await fixture.dump()).toEqual(before);
  return result;
}

describe('settings of a sale', () => {
  it('the buyer limit counts units not released, within a call and over calls', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 50 }, await timed({ perBuyerLimit: 3 }));
    const userId = objectId();
    const [first, second] = [
      request({ [product]: 2 }, { userId }),
      request({ [product]: 2 }, { userId }),
    ];
    const replies = await fixture.ledger.reserve(saleId, [
      first,
      second,
      request({ [product]: 3 }),
    ]);
    expect(replies).toMatchObject([
      { status: 'reserved' },
      { status: 'limit', limit: 3, owned: 2 },
      { status: 'reserved' },
    ]);
    expect(await withoutTrace(() => fixture.ledger.reserve(saleId, [second]))).toEqual([
      { status: 'limit', limit: 3, owned: 2 },
    ]);
    await fixture.ledger.release(saleId, [
      { orderId: first.orderId, units: recordOf(replies[0]).units },
    ]);
    const { buyers } = fixture.keys.sale(saleId);
    expect(await fixture.connection.client.hget(buyers, userId)).toBe('0');
    expect(await fixture.ledger.reserve(saleId, [second])).toMatchObject([{ status: 'reserved' }]);
  });

  it('sold out is said before the limit, and a standing sale has none', async () => {
    const product = objectId();
    const limited = await givenSale(fixture, { [product]: 1 }, await timed({ perBuyerLimit: 1 }));
    expect(await fixture.ledger.reserve(limited, [request({ [product]: 2 })])).toMatchObject([
      { status: 'sold_out' },
    ]);
    const standing = await givenSale(fixture, { [product]: 9 }, { perBuyerLimit: 1 });
    expect(await fixture.ledger.reserve(standing, [request({ [product]: 5 })])).toMatchObject([
      { status: 'reserved' },
    ]);
  });

  it('the window is judged by the clock of the ledger', async () => {
    const product = objectId();
    const now = await ledgerNow();
    const reserveIn = async (opensAtMs: number, closesAtMs: number) => {
      const saleId = await givenSale(fixture, { [product]: 5 }, { opensAtMs, closesAtMs });
      return (await fixture.ledger.reserve(saleId, [request({ [product]: 1 })]))[0];
    };
    expect(await reserveIn(now + hourMs, now + 2 * hourMs)).toEqual({
      status: 'not_open',
      opensAtMs: now + hourMs,
    });
    expect(await reserveIn(now, now + hourMs)).toMatchObject({ status: 'reserved' });
    expect(await reserveIn(now - hourMs, now)).toEqual({ status: 'closed' });
    expect(await reserveIn(now - hourMs, 0)).toMatchObject({ status: 'reserved' });
  });

  it('closed, paused and sold out refuse without trace but still replay', async () => {
    const product = objectId();
    const settings = await timed({ products: [{ productId: product, price: 5, away: false }] });
    const saleId = await givenSale(fixture, { [product]: 1 }, settings);
    const won = request({ [product]: 1 });
    await fixture.ledger.reserve(saleId, [won]);
    const version = (settingsVersion: number, state: 'paused' | 'closed') =>
      fixture.ledger.putSale(saleSettings({ ...settings, saleId, settingsVersion, state }), false);
    for (const [settingsVersion, state] of [
      [2, 'paused'],
      [3, 'closed'],
    ] as const) {
      expect(await version(settingsVersion, state)).toBe('put');
      const call = () => fixture.ledger.reserve(saleId, [request({ [product]: 1 }), won]);
      expect(await withoutTrace(call)).toMatchObject([
        { status: state },
        { status: 'replayed', orderId: won.orderId },
      ]);
    }
  });

  it('a hold with a payment step has a deadline', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 3 }, await timed({ holdMs: 60_000 }));
    const wanted = request({ [product]: 2 });
    const record = recordOf((await fixture.ledger.reserve(saleId, [wanted]))[0]);
    expect(record.expiresAt).toBe(record.at + 60_000);
    const { due } = fixture.keys.sale(saleId);
    expect(await fixture.connection.client.zscore(due, `${saleId}/${wanted.orderId}`)).toBe(
      String(record.expiresAt),
    );
    expect(await fixture.ledger.snapshot(saleId)).toMatchObject({
      products: { [product]: { available: 1, held: 2 } },
    });
  });

  it('orders of the house are exempt from window, state, limit, deadline and away', async () => {
    const product = objectId();
    const now = await ledgerNow();
    const saleId = await givenSale(
      fixture,
      { [product]: 9 },
      {
        opensAtMs: now + hourMs,
        perBuyerLimit: 1,
        holdMs: 1_000,
        state: 'closed',
        products: [{ productId: product, price: 7, away: true }],
      },
    );
    const house = request({ [product]: 4 }, { kind: 'house' });
    const record = recordOf((await fixture.ledger.reserve(saleId, [house]))[0]);
    expect(record).toMatchObject({ kind: 'house', expiresAt: 0, prices: { [product]: 7 } });
    const { buyers, due } = fixture.keys.sale(saleId);
    expect(await fixture.connection.client.exists(buyers)).toBe(0);
    expect(await fixture.connection.client.zscore(due, `${saleId}/${house.orderId}`)).toBeNull();
    const units = { orderId: house.orderId, units: record.units };
    expect(await fixture.ledger.release(saleId, [units])).toEqual(['released']);
    expect(await fixture.connection.client.exists(buyers)).toBe(0);
    expect(await fixture.ledger.snapshot(saleId)).toMatchObject({
      products: { [product]: { available: 9, held: 0 } },
    });
  });

  it('products that are unknown, unpriced, without line or away cannot be bought', async () => {
    const [known, away, unraised, unpriced] = [objectId(), objectId(), objectId(), objectId()];
    const saleId = await givenSale(
      fixture,
      { [known]: 5 },
      {
        products: [
          { productId: known, price: 1, away: false },
          { productId: away, price: 1, away: true },
          { productId: unraised, price: 1, away: false },
        ],
      },
    );
    await fixture.ledger.raise(saleId, away, 5);
    await fixture.ledger.raise(saleId, unpriced, 5);
    for (const productId of [away, unraised, unpriced, objectId()]) {
      const wanted = [request({ [known]: 1, [productId]: 1 })];
      expect(await withoutTrace(() => fixture.ledger.reserve(saleId, wanted))).toEqual([
        { status: 'unknown_product', productId },
      ]);
    }
  });

  it('an unknown sale is told from a fenced one', async () => {
    const product = objectId();
    expect(
      await withoutTrace(() => fixture.ledger.reserve(objectId(), [request({ [product]: 1 })])),
    ).toEqual([{ status: 'unknown_sale' }]);
    const saleId = await givenSale(fixture, { [product]: 5 });
    const won = request({ [product]: 1 });
    await fixture.ledger.reserve(saleId, [won]);
    await fixture.ledger.fence(saleId, 1);
    expect(
      await withoutTrace(() => fixture.ledger.reserve(saleId, [request({ [product]: 1 }), won])),
    ).toEqual([{ status: 'fenced' }, { status: 'fenced' }]);
  });
});
