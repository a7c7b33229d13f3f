import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { createMongoOrderStore, type Order, type OrderStore } from '@quicksale/shared/orders';
import { eventually, givenOrder, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(600_000);

/** Orders of one merchant; 100,000 for the figures. */
const count = Number(process.env.MERCHANT_ORDERS ?? 12_000);
const rare = 10;
/** Later ones of others, so that the merchant's are not among the newest of all. */
const strangers = 2_000;
const [busy, stranger, saleId, productId] = [newId(), newId(), newId(), newId()];

let fixture: OrderFixture;
let store: OrderStore;
beforeAll(async () => {
  fixture = await startOrders();
  store = createMongoOrderStore(fixture.mongo);
  // The rarest are the oldest: a page of them has to look behind all others.
  await fill(count, (nth) => ({
    merchantId: busy,
    status: nth < rare ? 'PROCESSING' : 'DELIVERED',
    items: givenItems(nth % 10 === 0 ? 2 : 1),
  }));
});
afterAll(() => fixture?.stop());

const givenItems = (lines: number): Order['items'] =>
  Array.from({ length: lines }, (_, line) => ({
    ...{ productId, sku: `SKU-${line}`, name: 'Lamp, "large"', unitPrice: 4_999, quantity: 1 },
  }));

let unit = 0;
async function fill(orders: number, fields: (nth: number) => Partial<Order>): Promise<void> {
  for (let from = 0; from < orders; from += 500) {
    const batch = Array.from({ length: Math.min(500, orders - from) }, (_, index): Order => {
      const wish = { saleId, productId, units: [(unit += 1)] };
      const { outbox: _outbox, outboxAt: _at, ...order } = givenOrder(wish);
      return { ...order, inventoryStatus: 'SOLD', ...fields(from + index) };
    });
    const outcomes = await store.insertMany(batch);
    expect(outcomes.filter(({ kind }) => kind !== 'inserted')).toEqual([]);
  }
}

const ask = (path: string, merchantId = busy, signal?: AbortSignal) =>
  fetch(`http://127.0.0.1:${fixture.port()}${path}`, {
    headers: { authorization: `Bearer merchant-${merchantId}` },
    ...(signal && { signal }),
  });

/** Questions to MongoDB so far. */
async function reads(): Promise<number> {
  const lines = (await fixture.metrics()).split('\n');
  const found = lines.filter((line) => /^quicksale_mongo\w+\{.*"find"/.test(line));
  expect(found).not.toEqual([]);
  return found.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

it('exports every order once, with memory that does not grow with them', async () => {
  global.gc?.();
  const first = process.memoryUsage();
  let [peakRss, peakHeap, lines, bytes] = [first.rss, first.heapUsed, 0, 0];
  const ids = new Set<string>();
  const startedAt = performance.now();
  const answer = await ask('/api/merchant/orders.csv');
  expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="orders.csv"');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    const all = (rest + decoder.decode(chunk, { stream: true })).split('\r\n');
    rest = all.pop() ?? '';
    lines += all.length;
    bytes += chunk.length;
    for (const line of all) ids.add(line.split(',')[1] ?? '');
    const { rss, heapUsed } = process.memoryUsage();
    [peakRss, peakHeap] = [Math.max(peakRss, rss), Math.max(peakHeap, heapUsed)];
  }
  const tookMs = Math.round(performance.now() - startedAt);
  const mb = (size: number) => `${Math.round(size / 1e6)} MB`;
  process.stdout.write(
    `export of ${count} orders: ${lines} lines, ${mb(bytes)} in ${tookMs} ms; RSS ${mb(first.rss)}, ` +
      `peak ${mb(peakRss)}; heap ${mb(first.heapUsed)}, peak ${mb(peakHeap)}\n`,
  );
  expect(rest).toBe('');
  // The head, a line for each order, and a second one for every tenth.
  expect(lines).toBe(1 + count + Math.ceil(count / 10));
  expect(ids.size).toBe(1 + count);
  // This process is the client as well, and it remembers the ids.
  expect(peakRss - first.rss).toBeLessThan(200e6);
});

it('stops reading when its client leaves, and does not read ahead of a slow one', async () => {
  const before = await reads();
  const leaving = new AbortController();
  const answer = await ask('/api/merchant/orders.csv', busy, leaving.signal);
  const body = answer.body?.getReader();
  await body?.read();
  await sleep(1_000);
  const behind = (await reads()) - before;
  // Two questions a page of 500; what the sockets hold is read ahead.
  const all = (2 * count) / 500;
  expect(behind).toBeLessThan(all * 0.9);
  leaving.abort();
  await body?.cancel().catch(() => undefined);
  // The outbox scan and its like go on asking: a question or two a second.
  let seen = await reads();
  await eventually(async () => {
    await sleep(500);
    const now = await reads();
    const added = now - seen;
    seen = now;
    expect(added).toBeLessThan(6);
  });
  const total = (await reads()) - before;
  process.stdout.write(`left after ${behind} of ${all} questions; ${total} in the end\n`);
  expect(fixture.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

/** Times of the pages of a filter; what fits few orders is asked for over and over. */
async function time(name: string, query: string): Promise<number> {
  const times: number[] = [];
  let found = 0;
  let path = `/api/merchant/orders?limit=20${query}`;
  for (let page = 0; page < 10; page += 1) {
    if (!path && page > 0) [path, found] = [`/api/merchant/orders?limit=20${query}`, 0];
    const startedAt = performance.now();
    const answer = await ask(path);
    const body = (await answer.json()) as { data: unknown[]; page: { next: string | null } };
    times.push(performance.now() - startedAt);
    expect(answer.status).toBe(200);
    found += body.data.length;
    path = body.page.next ? `/api/merchant/orders?limit=20${query}&cursor=${body.page.next}` : '';
  }
  const sorted = times.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  process.stdout.write(
    `${name}: ${times.length} pages, ${found} orders; median ${middle.toFixed(1)} ms, ` +
      `longest ${sorted.at(-1)?.toFixed(1)} ms\n`,
  );
  return found;
}

const listings = async (when: string) => {
  await time(`${when}, warm-up`, '');
  expect(await time(`${when}, all`, '')).toBe(200);
  expect(await time(`${when}, DELIVERED`, '&status=DELIVERED')).toBe(200);
  expect(await time(`${when}, PROCESSING (${rare})`, '&status=PROCESSING')).toBe(rare);
  expect(await time(`${when}, REFUNDED (none)`, '&status=REFUNDED')).toBe(0);
  expect(await time(`${when}, another sale`, `&saleId=${newId()}`)).toBe(0);
};

it(`finds pages of ${count} orders, the rarest status included`, async () => {
  await listings('newest');
});

it('finds them behind those of others, which it never shows', async () => {
  await fill(strangers, () => ({ merchantId: stranger, status: 'PROCESSING' }));
  await listings('behind others');
  const csv = await (await ask('/api/merchant/orders.csv?status=PROCESSING')).text();
  expect(csv.trimEnd().split('\r\n')).toHaveLength(1 + rare + 1);
  expect(csv).not.toContain(stranger);
  const theirs = await (await ask('/api/merchant/orders.csv', stranger)).text();
  expect(theirs.trimEnd().split('\r\n')).toHaveLength(1 + strangers);
  expect(theirs).not.toContain(busy);
});
