import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mongo as driver } from 'mongoose';
import request from 'supertest';
import { auditReply } from '../src/audit/audit.routes.ts';
import { reportColumns } from '../src/audit/report-format.ts';
import {
  objectId,
  placeOrder,
  startInventory,
  tokenFor,
  type InventoryFixture,
} from './inventory-fixture.ts';

jest.setTimeout(120_000);

let fixture: InventoryFixture;
beforeAll(async () => {
  fixture = await startInventory();
});
afterAll(() => fixture.stop());

async function givenProduct(merchantId: string, stock: number): Promise<string> {
  const made = await request(fixture.service.app)
    .post('/api/inventory/products')
    .set('Authorization', `Bearer ${tokenFor('MERCHANT', merchantId)}`)
    .send({ name: 'n', description: 'd', price: 1, stock, sku: 'S', category: 'c' })
    .expect(201);
  return String(made.body.product._id);
}
const read = (saleId: string, token: string, query = '') =>
  request(fixture.service.app)
    .get(`/api/sales/${saleId}/audit${query}`)
    .set('Authorization', `Bearer ${token}`);
const orders = () => fixture.mongo.db().collection('orders');

describe('GET /api/sales/:id/audit', () => {
  it('shows the books: each unit, who had it, what became of it, and that they agree', async () => {
    const saleId = objectId();
    const productId = await givenProduct(saleId, 9);
    const given = await placeOrder(fixture, saleId, productId, 2);
    await fixture.ledger.strikeOff(saleId, [given.id]);
    await fixture.ledger.release(saleId, [{ orderId: given.id, units: { [productId]: [1, 2] } }]);
    const at = new Date();
    const cancelled = { version: 2, from: 'PENDING', to: 'CANCELLED', at, by: given.userId };
    await orders().updateOne({ _id: new driver.ObjectId(given.id) }, {
      $set: { status: 'CANCELLED', inventoryStatus: 'RELEASED' },
      $unset: { units: '' },
      $push: { history: { ...cancelled, reason: '=HYPERLINK("x")', released: given.units } },
    } as object);
    const holding = await placeOrder(fixture, saleId, productId, 1);
    await fixture.ledger.strikeOff(saleId, [holding.id]);
    await fixture.mongo
      .db()
      .collection<{ _id: string; counts: object }>('sale-refusals')
      .insertOne({ _id: saleId, counts: { 'sold-out': 4 } });

    const answer = await read(saleId, tokenFor('MERCHANT', saleId)).expect(200);
    const books = auditReply.parse(answer.body);
    expect(books).toMatchObject({ saleId, kind: 'standing', verdict: 'ok', drifts: [] });
    expect(books.products).toEqual([
      { productId, lastUnit: 9, available: 8, held: 0, committed: 1, gone: 0 },
    ]);
    expect(books.movements).toMatchObject([{ reason: 'initial', firstUnit: 1, lastUnit: 9 }]);
    expect(books.refusals).toEqual([{ reason: 'sold-out', count: 4 }]);
    expect(books.units.filter(({ unit }) => unit === 1)).toMatchObject([
      { orderId: given.id, place: 'given-back', at: at.toISOString(), by: given.userId },
      { orderId: holding.id, place: 'held', status: 'PENDING' },
    ]);

    const csv = await read(saleId, tokenFor('ADMIN'), '?format=csv').expect(200);
    expect(csv.headers['content-type']).toContain('text/csv');
    const [first, ...rows] = rowsOf(csv.text);
    // Read a moment later.
    expect([{ ...first, at: books.at }, ...rows]).toEqual(flat(books));
    expect(csv.text).toContain(`"'=HYPERLINK(""x"")"`);
    const accepted = await read(saleId, tokenFor('ADMIN')).set('Accept', 'text/csv');
    expect(accepted.headers['content-type']).toContain('text/csv');
  });

  it('tells a drift, and does not judge a fenced sale', async () => {
    const saleId = objectId();
    const productId = await givenProduct(saleId, 3);
    await fixture.connection.client.hincrby(
      fixture.keys.sale(saleId).stock,
      `${productId}:available`,
      1,
    );
    const drifting = await read(saleId, tokenFor('ADMIN')).expect(200);
    expect(drifting.body).toMatchObject({
      verdict: 'drift',
      drifts: [{ drift: 'available-wrong', productId, expected: 3, found: 4 }],
    });
    await fixture.ledger.fence(saleId, 1);
    const fenced = await read(saleId, tokenFor('ADMIN')).expect(200);
    expect(fenced.body).toMatchObject({ verdict: 'unjudged', reason: 'fenced' });
    expect(fenced.body.products).toMatchObject([{ lastUnit: 3, available: null }]);
  });

  it('is for the owner and for admins', async () => {
    const saleId = objectId();
    await givenProduct(saleId, 3);
    await read(saleId, tokenFor('CUSTOMER', saleId)).expect(403);
    await read(saleId, tokenFor('MERCHANT')).expect(404);
    await read(objectId(), tokenFor('ADMIN')).expect(404);
    await request(fixture.service.app).get(`/api/sales/${saleId}/audit`).expect(401);
    await read(saleId, tokenFor('ADMIN'), '?format=xml').expect(400);
  });

  it('streams 20,000 orders with bounded memory, and ends when the client goes', async () => {
    const [saleId, count] = [objectId(), 20_000];
    const productId = await givenProduct(saleId, count);
    const sold = (n: number) => ({
      kind: 'order',
      orderNumber: `ORD-${n}`,
      userId: objectId(),
      saleId,
      status: 'DELIVERED',
      inventoryStatus: 'SOLD',
      units: [`${saleId}:${productId}:${n}`],
      history: [{ version: 1, from: null, to: 'PENDING', at: new Date(), by: 'u' }],
      idempotencyDigest: randomBytes(32).toString('hex'),
      createdAt: new Date(),
      updatedAt: new Date(),
    });
    for (let from = 0; from < count; from += 2_000)
      await orders().insertMany(Array.from({ length: 2_000 }, (_, n) => sold(from + n + 1)));
    const field = (name: string) => `${productId}:${name}`;
    await fixture.connection.client.hset(
      fixture.keys.sale(saleId).stock,
      ...[field('available'), 0, field('next'), count + 1, field('gone'), count],
    );
    const { port } = fixture.service;
    const url = `http://127.0.0.1:${port()}/api/sales/${saleId}/audit`;
    const headers = { authorization: `Bearer ${tokenFor('ADMIN')}` };
    const rss = () => Math.round(process.memoryUsage().rss / 1_048_576);
    const startRss = rss();
    const startedAt = performance.now();
    let [mostRss, bytes, units, tail] = [startRss, 0, 0, ''];
    const answer = await fetch(url, { headers });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      bytes += chunk.length;
      tail = (tail + decoder.decode(chunk, { stream: true })).slice(-400_000);
      units += (decoder.decode(chunk).match(/"place":/g) ?? []).length;
      mostRss = Math.max(mostRss, rss());
    }
    const figures = {
      orders: count,
      megabytes: Math.round(bytes / 1_048_576),
      tookMs: Math.round(performance.now() - startedAt),
      startRssMb: startRss,
      mostRssMb: mostRss,
    };
    process.stderr.write(`audit of a sale: ${JSON.stringify(figures)}\n`);
    expect(tail).toContain('"verdict":"ok"');
    // A mark may be cut in two by a piece.
    expect(units).toBeGreaterThan(count - 500);

    const gone = new AbortController();
    const broken = await fetch(url, { headers, signal: gone.signal });
    await broken.body?.getReader().read();
    gone.abort();
    // The service goes on serving; nothing was logged as a failure.
    await read(saleId, tokenFor('CUSTOMER')).expect(403);
    expect(fixture.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

/** The lines of the JSON form as the table has them. */
function flat(books: ReturnType<typeof auditReply.parse>): Record<string, string>[] {
  const { products, movements, units, refusals, drifts, verdict, reason, ...sale } = books;
  const rows: Record<string, unknown>[] = [
    { record: 'sale', ...sale },
    ...Object.entries({ products, movements, units, refusals, drifts }).flatMap(([record, all]) =>
      all.map((one) => ({ record, ...one })),
    ),
    { record: 'verdict', verdict, reason },
  ];
  return rows.map((row) =>
    Object.fromEntries(reportColumns.map((name) => [name, asText(row[name]).replace(/^=/, "'=")])),
  );
}

const asText = (value: unknown) =>
  value === undefined || value === null ? '' : `${value as string}`;

/** A table, read back. */
function rowsOf(text: string): Record<string, string>[] {
  const rows = text
    .trimEnd()
    .split('\r\n')
    .map((row) =>
      [...`${row},`.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*)),/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
      ),
    );
  return rows
    .slice(1)
    .map((cells) => Object.fromEntries(reportColumns.map((name, i) => [name, cells[i] ?? ''])));
}
