import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ReserveRequest } from '@quicksale/shared/stock-ledger';
import { eventually } from '@quicksale/shared/testing';
import { givenSale, objectId, openLedger, request } from './ledger-fixture.ts';
import type { LedgerFixture } from './ledger-fixture.ts';

jest.setTimeout(20_000);

let fixture: LedgerFixture;
beforeAll(async () => {
  fixture = await openLedger(1);
});
afterAll(() => fixture.close());

async function withoutTrace<T>(call: () => Promise<T>): Promise<T> {
  const before = await fixture.dump();
  const result = await call();
  expect(await fixture.dump()).toEqual(before);
  return result;
}

const hourMs = 3_600_000;
const bareHold = (items: Record<string, number>, given: Partial<ReserveRequest> = {}) =>
  request(items, { kind: 'bare', ttlMs: hourMs, ...given });

async function reserved(saleId: string, wanted: ReserveRequest) {
  const [reply] = await fixture.ledger.reserve(saleId, [wanted]);
  if (reply?.status !== 'reserved') throw new Error(JSON.stringify(reply));
  return reply.record;
}

const bareCount = (saleId: string, userId: string) =>
  fixture.connection.client.hget(fixture.keys.sale(saleId).bare, userId);
const ownedUnits = (saleId: string, userId: string) =>
  fixture.connection.client.hget(fixture.keys.sale(saleId).buyers, userId);
const countersOf = async (saleId: string, productId: string) => {
  const snapshot = await fixture.ledger.snapshot(saleId);
  return typeof snapshot === 'string' ? snapshot : snapshot.products[productId];
};

describe('a bare hold', () => {
  it('has a deadline of its own, is never unrecorded, and goes with its count', async () => {
    const { ledger, keys, connection } = fixture;
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 5 }, { opensAtMs: 1, perBuyerLimit: 3 });
    const hold = bareHold({ [product]: 2 });
    const record = await reserved(saleId, hold);
    expect(record).toMatchObject({ kind: 'bare', expiresAt: record.at + hourMs });
    const member = `${saleId}/${hold.orderId}`;
    const at = keys.sale(saleId);
    expect(await connection.client.zscore(at.due, member)).toBe(String(record.expiresAt));
    expect(await connection.client.zscore(at.unrecorded, member)).toBeNull();
    expect(await bareCount(saleId, hold.userId)).toBe('1');
    expect(await ownedUnits(saleId, hold.userId)).toBe('2');
    expect(await countersOf(saleId, product)).toMatchObject({ available: 3, held: 2 });
    expect(await withoutTrace(() => ledger.reserve(saleId, [hold]))).toEqual([
      { status: 'replayed', orderId: hold.orderId, recorded: true, record },
    ]);
    expect(
      await withoutTrace(async () => [
        (await ledger.reserve(saleId, [request({ [product]: 2 }, { userId: hold.userId })]))[0],
        ...(await ledger.settle(saleId, [hold.orderId])),
        ...(await ledger.ship(saleId, [{ orderId: hold.orderId, units: record.units }])),
      ]),
    ).toEqual([{ status: 'limit', limit: 3, owned: 2 }, 'gone', 'already']);
    const part = (unit: number) => [{ orderId: hold.orderId, units: { [product]: [unit] } }];
    await ledger.release(saleId, part(1));
    expect(await bareCount(saleId, hold.userId)).toBe('1');
    await ledger.release(saleId, part(2));
    expect(await bareCount(saleId, hold.userId)).toBe('0');
    expect(await ownedUnits(saleId, hold.userId)).toBe('0');
    expect(await connection.client.zscore(at.due, member)).toBeNull();
    expect(await countersOf(saleId, product)).toMatchObject({ available: 5, held: 0 });
  });

  it('obeys window, stock and away, and a user has at most 5 per sale', async () => {
    const product = objectId();
    const closed = await givenSale(fixture, { [product]: 9 }, { state: 'closed' });
    const paused = await givenSale(fixture, { [product]: 9 }, { state: 'paused' });
    const open = await givenSale(fixture, { [product]: 9 });
    const status = async (saleId: string, hold: ReserveRequest) =>
      (await withoutTrace(() => fixture.ledger.reserve(saleId, [hold])))[0];
    expect(await status(closed, bareHold({ [product]: 1 }))).toEqual({ status: 'closed' });
    expect(await status(paused, bareHold({ [product]: 1 }))).toEqual({ status: 'paused' });
    expect(await status(open, bareHold({ [product]: 10 }))).toMatchObject({ status: 'sold_out' });
    const userId = objectId();
    const wanted = Array.from({ length: 6 }, () => bareHold({ [product]: 1 }, { userId }));
    const replies = await fixture.ledger.reserve(open, wanted);
    expect(replies.slice(0, 5).every((reply) => reply.status === 'reserved')).toBe(true);
    expect(replies[5]).toEqual({ status: 'too_many_holds', most: 5 });
    expect(await status(open, bareHold({ [product]: 1 }, { userId }))).toEqual({
      status: 'too_many_holds',
      most: 5,
    });
    expect(
      await fixture.ledger.reserve(open, [request({ [product]: 1 }, { userId })]),
    ).toMatchObject([{ status: 'reserved' }]);
    for (const ttlMs of [0, -1, 1.5, Number.NaN])
      await withoutTrace(() =>
        expect(
          fixture.ledger.reserve(open, [bareHold({ [product]: 1 }, { ttlMs })]),
        ).rejects.toMatchObject({ code: 'internal' }),
      );
  });
});

describe('an order that names a bare hold', () => {
  it('takes its units though nothing else is left, within the limit', async () => {
    const { ledger, keys, connection } = fixture;
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 2 }, { opensAtMs: 1, perBuyerLimit: 2 });
    const hold = bareHold({ [product]: 2 });
    const { orderId: holdId, userId } = hold;
    await reserved(saleId, hold);
    expect(
      await withoutTrace(() =>
        ledger.reserve(saleId, [
          request({ [product]: 2 }, { userId }),
          request({ [product]: 2 }, { userId: objectId(), holdId }),
          request({ [product]: 3 }, { userId, holdId }),
        ]),
      ),
    ).toEqual([
      { status: 'sold_out', products: [{ productId: product, available: 0 }] },
      { status: 'hold_gone' },
      { status: 'sold_out', products: [{ productId: product, available: 2 }] },
    ]);
    const order = request({ [product]: 2 }, { userId, holdId });
    const replies = await ledger.reserve(saleId, [order, request({ [product]: 1 }, { holdId })]);
    expect(replies).toMatchObject([
      { status: 'reserved', record: { kind: 'order', expiresAt: 0, units: { [product]: [1, 2] } } },
      { status: 'hold_gone' },
    ]);
    expect(await ledger.readHolds(saleId, [holdId])).toMatchObject({ records: [undefined] });
    const { due } = keys.sale(saleId);
    expect(await connection.client.zscore(due, `${saleId}/${holdId}`)).toBeNull();
    expect(await bareCount(saleId, userId)).toBe('0');
    expect(await ownedUnits(saleId, userId)).toBe('2');
    expect(await countersOf(saleId, product)).toEqual({
      last: 2,
      next: 3,
      available: 0,
      held: 0,
      gone: 0,
    });
    expect(await ledger.reserve(saleId, [order])).toMatchObject([{ status: 'replayed' }]);
  });

  it('gives back what it does not need, lowest numbers first', async () => {
    const { ledger } = fixture;
    const [a, b] = [objectId(), objectId()];
    const saleId = await givenSale(fixture, { [a]: 6, [b]: 2 });
    const first = request({ [a]: 1 });
    await reserved(saleId, first);
    const hold = bareHold({ [a]: 3, [b]: 2 });
    await reserved(saleId, hold);
    await ledger.release(saleId, [{ orderId: first.orderId, units: { [a]: [1] } }]);
    const { userId, orderId: holdId } = hold;
    const naming = { userId, holdId, holdProductIds: [b] };
    const record = await reserved(saleId, request({ [a]: 2 }, naming));
    expect(record.units).toEqual({ [a]: [1, 2] });
    expect(await countersOf(saleId, a)).toMatchObject({ available: 4, held: 0, next: 5 });
    expect(await countersOf(saleId, b)).toMatchObject({ available: 2, held: 0, next: 3 });
    const rest = await reserved(saleId, request({ [a]: 4, [b]: 2 }));
    expect(rest.units).toEqual({ [a]: [3, 4, 5, 6], [b]: [1, 2] });
  });

  it('and not all of its products finds it gone, and the other orders of the call do not pay', async () => {
    const { ledger } = fixture;
    const [a, b] = [objectId(), objectId()];
    const saleId = await givenSale(fixture, { [a]: 6, [b]: 2 });
    const hold = bareHold({ [a]: 3, [b]: 1 });
    await reserved(saleId, hold);
    const { userId, orderId: holdId } = hold;
    const blind = request({ [a]: 2 }, { userId, holdId });
    expect(await withoutTrace(() => ledger.reserve(saleId, [blind]))).toEqual([
      { status: 'hold_gone' },
    ]);
    expect(await ledger.reserve(saleId, [request({ [a]: 1 }), blind])).toMatchObject([
      { status: 'reserved' },
      { status: 'hold_gone' },
    ]);
    expect(await ledger.readHolds(saleId, [holdId])).toMatchObject({ records: [{ userId }] });
    await reserved(saleId, { ...blind, holdProductIds: [b] });
  });

  it('finds it gone past its deadline, swept or not', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 4 });
    const hold = bareHold({ [product]: 1 }, { ttlMs: 1 });
    await reserved(saleId, hold);
    const naming = { userId: hold.userId, holdId: hold.orderId };
    await eventually(async () => {
      const [reply] = await fixture.ledger.reserve(saleId, [hold]);
      expect(reply).toEqual({ status: 'replayed', orderId: hold.orderId, recorded: true });
    });
    const call = () => fixture.ledger.reserve(saleId, [request({ [product]: 1 }, naming)]);
    expect(await withoutTrace(call)).toEqual([{ status: 'hold_gone' }]);
  });

  it('an order of the house takes it and leaves the count of the buyer', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 2 }, { opensAtMs: 1, perBuyerLimit: 2 });
    const hold = bareHold({ [product]: 2 });
    await reserved(saleId, hold);
    const { userId, orderId: holdId } = hold;
    await reserved(saleId, request({ [product]: 2 }, { kind: 'house', userId, holdId }));
    expect(await bareCount(saleId, userId)).toBe('0');
    expect(await ownedUnits(saleId, userId)).toBe('2');
  });
});
