import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createMemoryStockLedger, type ReserveRequest } from '@quicksale/shared/stock-ledger';
import { eventually } from '@quicksale/shared/testing';
import {
  digest,
  givenSale,
  objectId,
  openLedger,
  request,
  saleSettings,
} from './ledger-fixture.ts';
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

describe('release', () => {
  it('gives each unit back once; with the last one the record goes, and its marks with it', async () => {
    const { ledger, keys, connection } = fixture;
    const [a, b] = [objectId(), objectId()];
    const saleId = await givenSale(fixture, { [a]: 5, [b]: 5 }, timed);
    const wanted = request({ [a]: 3, [b]: 1 });
    const record = await reserved(saleId, wanted);
    const { orderId, userId } = wanted;
    const at = keys.sale(saleId);

    const some = [{ orderId, units: { [a]: [2] } }];
    expect(await ledger.release(saleId, some)).toEqual(['released']);
    expect(await withoutTrace(() => ledger.release(saleId, some))).toEqual(['already']);
    expect(await ledger.readHolds(saleId, [orderId])).toEqual({
      epoch: 1,
      nowMs: expect.any(Number),
      records: [{ ...record, units: { [a]: [1, 3], [b]: [1] } }],
    });
    expect(await connection.client.hget(at.buyers, userId)).toBe('3');
    expect(await connection.client.zscore(at.due, `${saleId}/${orderId}`)).not.toBeNull();

    expect(await ledger.release(saleId, [{ orderId, units: { [b]: [1] } }])).toEqual(['released']);
    expect(await ledger.readHolds(saleId, [orderId])).toMatchObject({
      records: [{ units: { [a]: [1, 3] } }],
    });
    expect(await ledger.release(saleId, [{ orderId, units: record.units }])).toEqual(['released']);
    expect(await ledger.readHolds(saleId, [orderId])).toEqual({
      epoch: 1,
      nowMs: expect.any(Number),
      records: [undefined],
    });
    for (const key of [at.due, at.unrecorded])
      expect(await connection.client.zscore(key, `${saleId}/${orderId}`)).toBeNull();
    expect(await connection.client.hget(at.buyers, userId)).toBe('0');
    expect(await connection.client.zrange(keys.free(saleId, a), 0, '-1')).toEqual(['1', '2', '3']);
    expect(await countersOf(saleId, a)).toEqual({
      last: 5,
      next: 4,
      available: 5,
      held: 0,
      gone: 0,
    });
    expect(
      await withoutTrace(() => ledger.release(saleId, [{ orderId, units: record.units }])),
    ).toEqual(['already']);
  });

  it('takes only units that the record has, also when one is named twice in a call', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 9 }, timed);
    const [mine, other] = [request({ [product]: 2 }), request({ [product]: 2 })];
    await reserved(saleId, mine);
    await reserved(saleId, other);
    const replies = await fixture.ledger.release(saleId, [
      { orderId: mine.orderId, units: { [product]: [2, 2, 3, 77] } },
      { orderId: mine.orderId, units: { [product]: [2] } },
      { orderId: objectId(), units: { [product]: [1] } },
      { orderId: other.orderId, units: { [objectId()]: [3] } },
    ]);
    expect(replies).toEqual(['released', 'already', 'already', 'already']);
    expect(await fixture.ledger.readHolds(saleId, [mine.orderId, other.orderId])).toMatchObject({
      records: [{ units: { [product]: [1] } }, { units: { [product]: [3, 4] } }],
    });
    expect(await countersOf(saleId, product)).toMatchObject({ available: 6, held: 3 });
  });

  it('keeps facts to the byte when a part goes', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 9 });
    const facts = '{"a":[],"b":1e21,"text":"ü\\n\u2028 end"}\nsecond line';
    const wanted = request({ [product]: 2 }, { facts });
    const record = await reserved(saleId, wanted);
    await fixture.ledger.release(saleId, [{ orderId: wanted.orderId, units: { [product]: [1] } }]);
    expect(await fixture.ledger.readHolds(saleId, [wanted.orderId])).toEqual({
      epoch: 1,
      nowMs: expect.any(Number),
      records: [{ ...record, units: { [product]: [2] } }],
    });
  });

  it('takes more units in one call than Lua unpacks', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 12_000 }, timed);
    const wanted = Array.from({ length: 120 }, () => request({ [product]: 100 }));
    const replies = await fixture.ledger.reserve(saleId, wanted);
    const releases = replies.flatMap((reply) =>
      reply.status === 'reserved'
        ? [{ orderId: reply.record.orderId, units: reply.record.units }]
        : [],
    );
    expect(await fixture.ledger.release(saleId, releases)).toEqual(wanted.map(() => 'released'));
    expect(await countersOf(saleId, product)).toMatchObject({ available: 12_000, held: 0 });
    const free = fixture.keys.free(saleId, product);
    expect(await fixture.connection.client.zcard(free)).toBe(12_000);
  });

  it('parallel releases of one order give each unit back once', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 9 }, timed);
    const wanted = request({ [product]: 6 });
    const record = await reserved(saleId, wanted);
    await Promise.all(
      Array.from({ length: 20 }, () =>
        fixture.ledger.release(saleId, [{ orderId: wanted.orderId, units: record.units }]),
      ),
    );
    expect(await countersOf(saleId, product)).toMatchObject({ available: 9, held: 0 });
  });
});

describe('claims and reads', () => {
  it('claimUnrecorded gives an old entry to one sweeper until its lease has ended', async () => {
    const own = await openLedger(1);
    try {
      const product = objectId();
      const saleId = await givenSale(own, { [product]: 9 });
      const wanted = [1, 2, 3].map(() => request({ [product]: 1 }));
      await own.ledger.reserve(saleId, wanted);
      const claim = async (options: object = {}) => {
        const lease = { ageMs: 0, leaseMs: 2_000, limit: 10, ...options };
        const entries = await own.ledger.claimUnrecorded(0, lease);
        if (entries === 'not_admitted') throw new Error(entries);
        return entries.map(({ orderId }) => orderId);
      };
      expect(await claim({ ageMs: 60_000 })).toEqual([]);
      const first = await claim({ limit: 2 });
      const second = await claim();
      expect(first).toHaveLength(2);
      expect(second).toHaveLength(1);
      expect([...first, ...second].sort()).toEqual(wanted.map(({ orderId }) => orderId).sort());
      expect(await claim()).toEqual([]);
      const [struckOff = '', ...left] = [...first, ...second];
      await own.ledger.strikeOff(saleId, [struckOff]);
      const again = new Set<string>();
      await eventually(async () => {
        for (const orderId of await claim()) again.add(orderId);
        expect(again).toEqual(new Set(left));
      });
    } finally {
      await own.close();
    }
  });

  it('readHolds tells the time of the ledger, which deadlines go by', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 1 });
    const wanted = request({ [product]: 1 }, { kind: 'bare', ttlMs: 60_000 });
    await fixture.ledger.reserve(saleId, [wanted]);
    const held = await fixture.ledger.readHolds(saleId, [wanted.orderId]);
    const [seconds, micros] = await fixture.connection.client.time();
    if (typeof held === 'string') throw new Error(held);
    const nowMs = Number(seconds) * 1000 + Number(micros) / 1000;
    expect(held.nowMs).toBeLessThanOrEqual(nowMs);
    expect(held.nowMs).toBeGreaterThanOrEqual(held.records[0]?.at ?? Infinity);
  });

  it('findKeys knows keys by sale, and believes no ledger that is in doubt', async () => {
    const { ledger, admit } = fixture;
    const product = objectId();
    const sales = [objectId(), objectId(), objectId()] as const;
    for (const saleId of sales) await givenSale(fixture, { [product]: 1 }, { saleId });
    const [used, fenced] = sales;
    const wanted = request({ [product]: 1 });
    for (const saleId of [used, fenced]) await ledger.reserve(saleId, [wanted]);
    await ledger.fence(fenced, 1);
    const ask = (digest: string) =>
      ledger.findKeys([...sales, objectId()].map((saleId) => ({ saleId, digest })));
    // Keys are kept by shard: a sale of the same shard knows it, too, and `reserve` says by what id.
    expect(await ask(wanted.digest)).toEqual(['known', 'fenced', 'known', 'unknown_sale']);
    expect(await ask(digest())).toEqual(['unknown', 'fenced', 'unknown', 'unknown_sale']);
    expect(await ledger.findKeys([])).toEqual([]);
    await admit('another server');
    expect(await ask(wanted.digest)).toEqual(Array(4).fill('not_admitted'));
    await admit();
  });

  it('readHolds strikes off entries that have no record, and only those', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 9 });
    const wanted = request({ [product]: 1 });
    const record = await reserved(saleId, wanted);
    const { unrecorded, due } = fixture.keys.sale(saleId);
    const { client } = fixture.connection;
    const gone = objectId();
    await client.zadd(unrecorded, 1, `${saleId}/${gone}`);
    await client.zadd(due, 1, `${saleId}/${gone}`, 2, `${saleId}/${wanted.orderId}`);
    expect(await fixture.ledger.readHolds(saleId, [gone, wanted.orderId])).toEqual({
      epoch: 1,
      nowMs: expect.any(Number),
      records: [undefined, record],
    });
    for (const set of [unrecorded, due]) {
      expect(await client.zscore(set, `${saleId}/${gone}`)).toBeNull();
      expect(await client.zscore(set, `${saleId}/${wanted.orderId}`)).not.toBeNull();
    }
  });
});

describe('upkeep of a sale', () => {
  it('raise only ever goes up, and makes the line', async () => {
    const { ledger } = fixture;
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 3 });
    await reserved(saleId, request({ [product]: 2 }));
    expect(await withoutTrace(() => ledger.raise(saleId, product, 3))).toBe('already');
    expect(await withoutTrace(() => ledger.raise(saleId, product, 1))).toBe('already');
    expect(await ledger.raise(saleId, product, 8)).toBe('raised');
    expect(await countersOf(saleId, product)).toMatchObject({ last: 8, next: 3, available: 6 });
    for (const bad of [-1, 1.5, Number.NaN, 2 ** 60])
      await withoutTrace(() =>
        expect(ledger.raise(saleId, product, bad)).rejects.toMatchObject({ code: 'internal' }),
      );
    expect(await withoutTrace(() => ledger.raise(objectId(), product, 3))).toBe('fenced');
  });

  it('putSale applies a higher version only, and makes a sale only on request', async () => {
    const { ledger, connection, keys } = fixture;
    const [saleId, product] = [objectId(), objectId()];
    const put = (settingsVersion: number, price: number, create = false) =>
      ledger.putSale(
        saleSettings({
          saleId,
          settingsVersion,
          products: [{ productId: product, price, away: false }],
        }),
        create,
      );
    expect(await withoutTrace(() => put(1, 5))).toBe('fenced');
    expect(await put(3, 5, true)).toBe('put');
    expect(await withoutTrace(() => put(3, 6, true))).toBe('already');
    expect(await withoutTrace(() => put(2, 6))).toBe('already');
    expect(await put(4, 7)).toBe('put');
    expect(await connection.client.hget(keys.sale(saleId).stock, `${product}:price`)).toBe('7');
    expect(await ledger.snapshot(saleId)).toMatchObject({ epoch: 1, fenced: false });
  });

  it('putSale takes more products than one command has arguments for', async () => {
    const { ledger, connection, keys } = fixture;
    const saleId = objectId();
    const products = Array.from({ length: 5_001 }, (_, price) => ({
      productId: objectId(),
      price,
      away: false,
    }));
    expect(await ledger.putSale(saleSettings({ saleId, products, settingsVersion: 1 }), true)).toBe(
      'put',
    );
    expect(await connection.client.hlen(keys.sale(saleId).stock)).toBe(10_002);
  });

  it('a fence stops every script that changes the sale, whatever is repeated', async () => {
    const { ledger } = fixture;
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 3 }, timed);
    const wanted = request({ [product]: 1 });
    const record = await reserved(saleId, wanted);
    expect(await withoutTrace(() => ledger.fence(saleId, 0))).toBe('already');
    expect(await withoutTrace(() => ledger.fence(objectId(), 1))).toBe('already');
    expect(await ledger.fence(saleId, 1)).toBe('fenced');
    expect(await withoutTrace(() => ledger.fence(saleId, 1))).toBe('already');
    const answers = await withoutTrace(async () => [
      (await ledger.reserve(saleId, [request({ [product]: 1 })]))[0]?.status,
      (await ledger.release(saleId, [{ orderId: wanted.orderId, units: record.units }]))[0],
      (await ledger.ship(saleId, [{ orderId: wanted.orderId, units: record.units }]))[0],
      (await ledger.settle(saleId, [wanted.orderId]))[0],
      await ledger.readHolds(saleId, [wanted.orderId]),
      await ledger.raise(saleId, product, 9),
      await ledger.putSale(saleSettings({ saleId, settingsVersion: 9 }), false),
      await ledger.putSale(saleSettings({ saleId, settingsVersion: 9 }), true),
    ]);
    expect(answers).toEqual(Array.from({ length: 8 }, () => 'fenced'));
    expect(await ledger.snapshot(saleId)).toMatchObject({ fenced: true, records: [record] });
  });

  it('snapshot reads every record of a large sale, in slices', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 5_000 });
    const wanted = Array.from({ length: 2_560 }, () => request({ [product]: 1 }));
    for (let from = 0; from < wanted.length; from += 128)
      await fixture.ledger.reserve(saleId, wanted.slice(from, from + 128));
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    expect(snapshot.records.map(({ orderId }) => orderId).sort()).toEqual(
      wanted.map(({ orderId }) => orderId).sort(),
    );
    expect(await fixture.ledger.snapshot(objectId())).toBe('unknown_sale');
  });

  it('pricedStock has price and stock of what is sold, and is null elsewhere', async () => {
    const [product, away] = [objectId(), objectId()];
    const saleId = await givenSale(fixture, { [product]: 3, [away]: 3 });
    const products = [
      { productId: product, price: 1234, away: false },
      { productId: away, price: 99, away: true },
    ];
    const settings = saleSettings({ saleId, settingsVersion: 2, products });
    await fixture.ledger.putSale(settings, false);
    await fixture.ledger.reserve(saleId, [request({ [product]: 1 })]);
    // Raised before it has a price.
    const unpriced = objectId();
    await fixture.ledger.raise(saleId, unpriced, 5);
    const places = [
      ...[product, away, unpriced, objectId()].map((productId) => ({ saleId, productId })),
      { saleId: objectId(), productId: product },
    ];
    const shown = [{ stock: 3, reserved: 1, available: 2, price: 1234 }, null, null, null, null];
    expect(await fixture.ledger.pricedStock(places)).toEqual(shown);
    expect(await fixture.ledger.pricedStock([])).toEqual([]);
    // The ledger in memory says the same.
    const memory = createMemoryStockLedger({ keys: fixture.keys, now: () => Date.now() });
    memory.putSale(settings, true);
    for (const productId of [product, away]) memory.raise(saleId, productId, 3);
    memory.raise(saleId, unpriced, 5);
    memory.reserve(saleId, [request({ [product]: 1 })]);
    expect(memory.pricedStock(places)).toEqual(shown);
    const closed = { ...settings, settingsVersion: 3, state: 'closed' } as const;
    await fixture.ledger.putSale(closed, false);
    memory.putSale(closed, false);
    const none = places.map(() => null);
    expect(await fixture.ledger.pricedStock(places)).toEqual(none);
    expect(memory.pricedStock(places)).toEqual(none);
  });

  it('shownStock is null where the ledger has no line', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 3 });
    expect(
      await fixture.ledger.shownStock([
        { saleId, productId: product },
        { saleId, productId: objectId() },
        { saleId: objectId(), productId: product },
      ]),
    ).toEqual([{ stock: 3, reserved: 0, available: 3 }, null, null]);
    expect(await fixture.ledger.shownStock([])).toEqual([]);
  });
});
