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

/** A timed sale with a payment step, so that every key of a hold is in use. */
const timed = { opensAtMs: 1, perBuyerLimit: 1_000, holdMs: 3_600_000 };

async function reserved(saleId: string, wanted: ReserveRequest) {
  const [reply] = await fixture.ledger.reserve(saleId, [wanted]);
  if (reply?.status !== 'reserved') throw new Error(String(reply?.status));
  return reply.record;
}

const countersOf = async (saleId: string, productId: string) => {
  const snapshot = await fixture.ledger.snapshot(saleId);
  return typeof snapshot === 'string' ? snapshot : snapshot.products[productId];
};

const dueOf = (saleId: string, orderId: string) =>
  fixture.connection.client.zscore(fixture.keys.sale(saleId).due, `${saleId}/${orderId}`);

describe('settle', () => {
  it('takes the deadline off once, and nothing else', async () => {
    const { ledger, keys, connection } = fixture;
    const [a, b] = [objectId(), objectId()];
    const saleId = await givenSale(fixture, { [a]: 5, [b]: 5 }, timed);
    const [paid, open] = [request({ [a]: 2, [b]: 1 }), request({ [a]: 1 })];
    const record = await reserved(saleId, paid);
    await reserved(saleId, open);
    const before = await fixture.dump();
    expect(await ledger.settle(saleId, [paid.orderId, paid.orderId, objectId()])).toEqual([
      'settled',
      'already',
      'gone',
    ]);
    const after = await fixture.dump();
    const at = keys.sale(saleId);
    for (const key of [at.stock, at.holds, at.due]) {
      expect(after[key]).not.toEqual(before[key]);
      delete before[key];
      delete after[key];
    }
    expect(after).toEqual(before);
    expect(await ledger.readHolds(saleId, [paid.orderId])).toEqual({
      epoch: 1,
      nowMs: expect.any(Number),
      records: [{ ...record, expiresAt: 0, deadline: record.expiresAt }],
    });
    expect(await dueOf(saleId, paid.orderId)).toBeNull();
    expect(await dueOf(saleId, open.orderId)).not.toBeNull();
    expect(await countersOf(saleId, a)).toMatchObject({ available: 2, held: 1 });
    expect(await countersOf(saleId, b)).toMatchObject({ available: 4, held: 0 });
    expect(await connection.client.hget(at.buyers, paid.userId)).toBe('3');
    expect(await withoutTrace(() => ledger.settle(saleId, [paid.orderId]))).toEqual(['already']);
  });

  it('a settled hold is released and shipped without touching what is held', async () => {
    const { ledger } = fixture;
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 5 }, timed);
    const [paid, open] = [request({ [product]: 2 }), request({ [product]: 1 })];
    await reserved(saleId, paid);
    await reserved(saleId, open);
    await ledger.settle(saleId, [paid.orderId]);
    const { orderId } = paid;
    expect(await ledger.release(saleId, [{ orderId, units: { [product]: [1] } }])).toEqual([
      'released',
    ]);
    expect(await ledger.ship(saleId, [{ orderId, units: { [product]: [2] } }])).toEqual([
      'shipped',
    ]);
    expect(await countersOf(saleId, product)).toEqual({
      last: 5,
      next: 4,
      available: 3,
      held: 1,
      gone: 1,
    });
  });

  it('a hold that never had a deadline is settled already', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 5 });
    const wanted = request({ [product]: 2 });
    await reserved(saleId, wanted);
    expect(await withoutTrace(() => fixture.ledger.settle(saleId, [wanted.orderId]))).toEqual([
      'already',
    ]);
  });
});

describe('ship', () => {
  it('each unit leaves once; with the last one the record goes, and its marks with it', async () => {
    const { ledger, keys, connection } = fixture;
    const [a, b] = [objectId(), objectId()];
    const saleId = await givenSale(fixture, { [a]: 5, [b]: 5 }, timed);
    const wanted = request({ [a]: 3, [b]: 1 });
    const record = await reserved(saleId, wanted);
    const { orderId, userId } = wanted;
    const at = keys.sale(saleId);

    const some = [{ orderId, units: { [a]: [2, 2, 4] } }];
    expect(await ledger.ship(saleId, some)).toEqual(['shipped']);
    expect(await withoutTrace(() => ledger.ship(saleId, some))).toEqual(['already']);
    expect(await ledger.readHolds(saleId, [orderId])).toEqual({
      epoch: 1,
      nowMs: expect.any(Number),
      records: [{ ...record, units: { [a]: [1, 3], [b]: [1] } }],
    });
    expect(await countersOf(saleId, a)).toEqual({
      last: 5,
      next: 4,
      available: 2,
      held: 2,
      gone: 1,
    });
    const rest = { orderId, units: record.units };
    expect(await ledger.ship(saleId, [rest, rest])).toEqual(['shipped', 'already']);
    expect(await ledger.readHolds(saleId, [orderId])).toEqual({
      epoch: 1,
      nowMs: expect.any(Number),
      records: [undefined],
    });
    for (const key of [at.due, at.unrecorded])
      expect(await connection.client.zscore(key, `${saleId}/${orderId}`)).toBeNull();
    expect(await connection.client.hget(at.buyers, userId)).toBe('4');
    expect(await connection.client.exists(keys.free(saleId, a))).toBe(0);
    expect(await countersOf(saleId, a)).toMatchObject({ available: 2, held: 0, gone: 3 });
    expect(await countersOf(saleId, b)).toMatchObject({ available: 4, held: 0, gone: 1 });
    expect(
      await withoutTrace(async () => [
        ...(await ledger.ship(saleId, [rest])),
        ...(await ledger.release(saleId, [rest])),
      ]),
    ).toEqual(['already', 'already']);
    expect(await ledger.shownStock([{ saleId, productId: a }])).toEqual([
      { stock: 2, reserved: 0, available: 2 },
    ]);
  });

  it('ship and release share the token, also in parallel', async () => {
    const { ledger } = fixture;
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 9 }, timed);
    const wanted = request({ [product]: 6 });
    const { orderId, units } = { ...wanted, ...(await reserved(saleId, wanted)) };
    await Promise.all(
      Array.from({ length: 10 }, () => [
        ledger.release(saleId, [{ orderId, units: { [product]: [1, 2, 3, 4] } }]),
        ledger.ship(saleId, [{ orderId, units }]),
      ]).flat(),
    );
    const counters = await countersOf(saleId, product);
    if (typeof counters !== 'object') throw new Error(counters);
    expect(counters).toMatchObject({ held: 0, last: 9, next: 7 });
    expect(counters.available + counters.gone).toBe(9);
  });
});

describe('claimDue', () => {
  it('gives a passed deadline to one sweeper until its lease has ended', async () => {
    const own = await openLedger(1);
    try {
      const product = objectId();
      const soon = await givenSale(own, { [product]: 9 }, { holdMs: 1 });
      const later = await givenSale(own, { [product]: 9 }, { holdMs: 3_600_000 });
      const wanted = [1, 2, 3].map(() => request({ [product]: 1 }));
      await own.ledger.reserve(soon, wanted);
      await own.ledger.reserve(later, [request({ [product]: 1 })]);
      const claim = async (limit = 10) => {
        const entries = await own.ledger.claimDue(0, { leaseMs: 1_000, limit });
        if (entries === 'not_admitted') throw new Error(entries);
        expect(entries.every(({ saleId }) => saleId === soon)).toBe(true);
        return entries.map(({ orderId }) => orderId);
      };
      const before = await own.ledger.readHolds(soon, [wanted[0]?.orderId ?? '']);
      if (typeof before === 'string') throw new Error(before);
      const claimed: string[] = [];
      await eventually(async () => {
        claimed.push(...(await claim(2)));
        expect(claimed).toHaveLength(3);
      });
      expect([...claimed].sort()).toEqual(wanted.map(({ orderId }) => orderId).sort());
      expect(await claim()).toEqual([]);
      // The lease moves the score only; the record still says when the deadline was.
      expect(await own.ledger.readHolds(soon, [wanted[0]?.orderId ?? ''])).toEqual({
        ...before,
        nowMs: expect.any(Number),
      });
      const [settled = '', ...left] = claimed;
      await own.ledger.settle(soon, [settled]);
      const again = new Set<string>();
      await eventually(async () => {
        for (const orderId of await claim()) again.add(orderId);
        expect(again).toEqual(new Set(left));
      });
    } finally {
      await own.close();
    }
  });
});
