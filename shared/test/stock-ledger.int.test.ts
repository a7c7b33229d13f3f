import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { HoldRecord, ReserveReply } from '@quicksale/shared/stock-ledger';
import { digest, givenSale, objectId, openLedger, request } from './ledger-fixture.ts';
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

describe('reserve', () => {
  it('takes the lowest numbers from 1 and writes record, key, mark and counters in one step', async () => {
    const { ledger, keys, connection } = fixture;
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 5 });
    const wanted = request({ [product]: 2 });
    const before = await ledgerNow();
    const [reply] = await ledger.reserve(saleId, [wanted]);
    const record = recordOf(reply);
    expect(record).toEqual({
      orderId: wanted.orderId,
      kind: 'order',
      userId: wanted.userId,
      epoch: 1,
      at: record.at,
      expiresAt: 0,
      units: { [product]: [1, 2] },
      prices: { [product]: 1_000 },
      facts: wanted.facts,
    });
    expect(record.at).toBeGreaterThanOrEqual(before);
    expect(record.at).toBeLessThanOrEqual(await ledgerNow());
    const at = keys.sale(saleId);
    const { client } = connection;
    const idem = keys.idem(saleId, wanted.digest);
    expect(await client.get(idem)).toBe(`${wanted.orderId} ${wanted.fingerprint}`);
    expect(await client.ttl(idem)).toBeGreaterThan(86_000);
    expect(await client.zscore(at.unrecorded, `${saleId}/${wanted.orderId}`)).toBe(
      String(record.at),
    );
    expect(await client.zcard(at.due)).toBe(0);
    expect(await client.exists(at.buyers)).toBe(0);
    expect(await ledger.snapshot(saleId)).toEqual({
      epoch: 1,
      fenced: false,
      products: { [product]: { last: 5, next: 3, available: 3, held: 0, gone: 0 } },
      records: [record],
    });
    expect(await ledger.shownStock([{ saleId, productId: product }])).toEqual([
      { stock: 5, reserved: 2, available: 3 },
    ]);
  });

  it('is all or nothing over the items of an order, and says what is short', async () => {
    const [plenty, scarce, none] = [objectId(), objectId(), objectId()];
    const saleId = await givenSale(fixture, { [plenty]: 10, [scarce]: 1, [none]: 0 });
    const call = () =>
      fixture.ledger.reserve(saleId, [request({ [plenty]: 3, [scarce]: 2, [none]: 1 })]);
    expect(await withoutTrace(call)).toEqual([
      {
        status: 'sold_out',
        products: [
          { productId: scarce, available: 1 },
          { productId: none, available: 0 },
        ],
      },
    ]);
  });

  it('gives numbers that came back first, lowest first, over several orders of a call', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 12 });
    const first = request({ [product]: 10 });
    await fixture.ledger.reserve(saleId, [first]);
    await fixture.ledger.release(saleId, [
      { orderId: first.orderId, units: { [product]: [9, 2, 10] } },
    ]);
    const replies = await fixture.ledger.reserve(saleId, [
      request({ [product]: 2 }),
      request({ [product]: 2 }),
      request({ [product]: 2 }),
    ]);
    expect(replies.slice(0, 2).map((reply) => recordOf(reply).units[product])).toEqual([
      [2, 9],
      [10, 11],
    ]);
    expect(replies[2]).toEqual({
      status: 'sold_out',
      products: [{ productId: product, available: 1 }],
    });
    const free = await fixture.connection.client.zcard(fixture.keys.free(saleId, product));
    expect(free).toBe(0);
  });

  it('decides orders of one call one after the other, each on its own', async () => {
    const [a, b] = [objectId(), objectId()];
    const saleId = await givenSale(fixture, { [a]: 3, [b]: 1 });
    const replies = await fixture.ledger.reserve(saleId, [
      request({ [a]: 2, [b]: 1 }),
      request({ [a]: 2 }),
      request({ [a]: 1, [b]: 1 }),
      request({ [a]: 1 }),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([
      'reserved',
      'sold_out',
      'sold_out',
      'reserved',
    ]);
    expect(recordOf(replies[3]).units).toEqual({ [a]: [3] });
  });

  it('losers of a call leave no trace', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 0 }, await timed({ perBuyerLimit: 2 }));
    const replies = await withoutTrace(() =>
      fixture.ledger.reserve(
        saleId,
        Array.from({ length: 20 }, () => request({ [product]: 1 })),
      ),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set(['sold_out']));
  });

  it('takes calls up to its bounds and none above them', async () => {
    const products = Array.from({ length: 1_000 }, objectId);
    const stock = Object.fromEntries(products.map((id) => [id, 2]));
    const saleId = await givenSale(fixture, stock, await timed({ holdMs: hourMs }));
    const productAt = (index: number) => products[index % 1_000] ?? '';
    const wanted = Array.from({ length: 128 }, (_, n) =>
      request(Object.fromEntries(Array.from({ length: 8 }, (_, i) => [productAt(n * 8 + i), 1]))),
    );
    const recorded = Array.from({ length: 1_000 }, objectId);
    const replies = await fixture.ledger.reserve(saleId, wanted, recorded);
    expect(replies.every(({ status }) => status === 'reserved')).toBe(true);
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    expect(snapshot.records).toHaveLength(128);
    const counters = Object.values(snapshot.products);
    expect(counters.reduce((sum, { available }) => sum + available, 0)).toBe(2_000 - 1_024);
    const one = () => request({ [productAt(0)]: 1 });
    for (const [requests, ids] of [
      [Array.from({ length: 129 }, one), []],
      [[one()], [...recorded, objectId()]],
      [[request({ ...stock, [objectId()]: 1 })], []],
    ] as const)
      await withoutTrace(() =>
        expect(fixture.ledger.reserve(saleId, requests, ids)).rejects.toMatchObject({
          code: 'internal',
        }),
      );
  });

  it('strikes off what MongoDB has', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 9 });
    const [a, b, c] = [1, 2, 3].map(() => request({ [product]: 1 }));
    if (!a || !b || !c) throw new Error();
    await fixture.ledger.reserve(saleId, [a, b]);
    await fixture.ledger.reserve(saleId, [c], [a.orderId, objectId()]);
    const { unrecorded } = fixture.keys.sale(saleId);
    const members = await fixture.connection.client.zrange(unrecorded, 0, '-1');
    const own = members.filter((member) => member.startsWith(saleId)).sort();
    expect(own).toEqual([b, c].map(({ orderId }) => `${saleId}/${orderId}`).sort());
    await fixture.ledger.strikeOff(saleId, [b.orderId, c.orderId]);
    await fixture.ledger.strikeOff(saleId, []);
    expect(await fixture.ledger.reserve(saleId, [b])).toMatchObject([{ recorded: true }]);
  });

  it.each(['0', '-1', '1.5', 'x', '', 'nan', '1e999'])('refuses the quantity %p', async (bad) => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 9 });
    const wanted = request({});
    const items = [{ productId: product, quantity: bad as unknown as number }];
    const call = fixture.ledger.reserve(saleId, [request({ [product]: 1 }), { ...wanted, items }]);
    if (bad === '1e999') expect((await call)[1]).toMatchObject({ status: 'sold_out' });
    else await withoutTrace(() => expect(call).rejects.toMatchObject({ code: 'internal' }));
  });

  it('refuses a product twice, no product, and an id in use', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 9 });
    const taken = request({ [product]: 1 });
    await fixture.ledger.reserve(saleId, [taken]);
    const item = { productId: product, quantity: 1 };
    const twins = request({ [product]: 1 });
    for (const bad of [
      [request({}, { items: [item, item] })],
      [request({})],
      [request({ [product]: 1 }, { orderId: taken.orderId })],
      [twins, { ...twins, digest: digest() }],
    ])
      await withoutTrace(() =>
        expect(fixture.ledger.reserve(saleId, bad)).rejects.toMatchObject({ code: 'internal' }),
      );
    // The same call again is a replay and no defect.
    expect(await fixture.ledger.reserve(saleId, [taken])).toMatchObject([{ status: 'replayed' }]);
  });

  it('parallel calls never give a number twice', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 100 });
    const replies = await Promise.all(
      Array.from({ length: 60 }, () =>
        fixture.ledger.reserve(saleId, [request({ [product]: 1 }), request({ [product]: 2 })]),
      ),
    );
    const numbers = replies
      .flat()
      .flatMap((reply) => (reply.status === 'reserved' ? (reply.record.units[product] ?? []) : []));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  });
});

describe('idempotency', () => {
  it('a key names its first order: replays say whether it is recorded', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 1 });
    const first = request({ [product]: 1 });
    const [reserved] = await fixture.ledger.reserve(saleId, [first]);
    const record = recordOf(reserved);
    const again = () =>
      withoutTrace(() => fixture.ledger.reserve(saleId, [{ ...first, orderId: objectId() }]));
    expect(await again()).toEqual([
      { status: 'replayed', orderId: first.orderId, recorded: false, record },
    ]);
    await fixture.ledger.strikeOff(saleId, [first.orderId]);
    expect(await again()).toEqual([
      { status: 'replayed', orderId: first.orderId, recorded: true, record },
    ]);
    // The hold is gone, the key stays: whoever asks has to look into MongoDB.
    await fixture.ledger.release(saleId, [{ orderId: first.orderId, units: record.units }]);
    expect(await again()).toEqual([{ status: 'replayed', orderId: first.orderId, recorded: true }]);
    const other = { ...first, orderId: objectId(), fingerprint: digest() };
    expect(await withoutTrace(() => fixture.ledger.reserve(saleId, [other]))).toEqual([
      { status: 'key_reused' },
    ]);
  });

  it('twins in one call become one order', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 5 });
    const first = request({ [product]: 2 });
    const replies = await fixture.ledger.reserve(saleId, [
      first,
      { ...first, orderId: objectId() },
      { ...first, orderId: objectId(), fingerprint: digest() },
    ]);
    const record = recordOf(replies[0]);
    expect(replies.slice(1)).toEqual([
      { status: 'replayed', orderId: first.orderId, recorded: false, record },
      { status: 'key_reused' },
    ]);
    expect(await fixture.ledger.shownStock([{ saleId, productId: product }])).toMatchObject([
      { available: 3 },
    ]);
  });

  it('a twin of a loser is a loser, not a replay', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 1 });
    const first = request({ [product]: 2 });
    const replies = await fixture.ledger.reserve(saleId, [
      first,
      { ...first, orderId: objectId() },
    ]);
    expect(replies.map(({ status }) => status)).toEqual(['sold_out', 'sold_out']);
  });

  it('a dead key is replaced once, and only while it names the id that is said to be dead', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 5 });
    const first = request({ [product]: 1 });
    const [reserved] = await fixture.ledger.reserve(saleId, [first]);
    const replacing = (dead: string) => ({ ...first, orderId: objectId(), replaces: dead });
    // It has a record: an ordinary replay.
    expect(
      await withoutTrace(() => fixture.ledger.reserve(saleId, [replacing(first.orderId)])),
    ).toMatchObject([{ status: 'replayed', orderId: first.orderId }]);
    await fixture.ledger.release(saleId, [
      { orderId: first.orderId, units: recordOf(reserved).units },
    ]);
    expect(
      await withoutTrace(() => fixture.ledger.reserve(saleId, [replacing(objectId())])),
    ).toMatchObject([{ status: 'replayed', orderId: first.orderId }]);
    const [second, third] = [replacing(first.orderId), replacing(first.orderId)];
    const replies = await fixture.ledger.reserve(saleId, [second, third]);
    expect(replies).toMatchObject([
      { status: 'reserved', record: { orderId: second.orderId } },
      { status: 'replayed', orderId: second.orderId },
    ]);
    expect(await fixture.ledger.reserve(saleId, [third])).toMatchObject([
      { status: 'replayed', orderId: second.orderId },
    ]);
  });

  it('a key that names nothing any more is new, whatever it is said to replace', async () => {
    const product = objectId();
    const saleId = await givenSale(fixture, { [product]: 5 });
    const wanted = request({ [product]: 1 }, { replaces: objectId() });
    expect(await fixture.ledger.reserve(saleId, [wanted])).toMatchObject([{ status: 'reserved' }]);
  });
});
