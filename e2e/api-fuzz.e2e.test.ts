import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { eventually } from '@quicksale/shared/testing';
import { readApiDocument, type Operation } from './api-document.ts';
import { requestsOf, withIds, type MadeRequest } from './request-arbitraries.ts';
import { expectBalanced } from './sale-books.ts';
import { startSystem, type System } from './system.ts';

/** `FUZZ_REQUESTS` and `FUZZ_SEED` run more of them, or the same again. */
const requests = Number(process.env.FUZZ_REQUESTS ?? 5_000);
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const atATime = 8;
/** A request that answers late for once is no failure of the fuzz. */
const limitMs = 20_000;

interface Caller {
  token?: string;
  userId?: string;
}

interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

describe(`${requests} requests made from the API docs, seed ${seed}`, () => {
  let system: System;
  let operations: Operation[];
  let callers: Caller[];
  /** What the shop has told so far: ids, and entity tags. */
  const ids: string[] = ['65a000000000000000000001'];
  const tags: string[] = ['*', '"1"', 'nonsense'];
  const found: string[] = [];
  const seen = new Map<string, number>();
  const ordersByKey = new Map<string, string>();
  const sales = new Set<string>();

  beforeAll(async () => {
    system = await startSystem({
      name: 'fuzz',
      settings: Object.fromEntries(
        ['DEFAULT', 'STRANGERS', 'ORDERS', 'RESERVE', 'REGISTER', 'LOGIN'].map((name) => [
          `RATE_LIMIT_${name}`,
          '1000000/60',
        ]),
      ),
    });
    operations = await readApiDocument(system);
    callers = [
      ...[{}, { token: 'nonsense' }],
      ...Array.from({ length: 4 }, () => system.signIn('CUSTOMER')),
      ...Array.from({ length: 4 }, () => system.signIn('MERCHANT')),
      ...[system.signIn('ADMIN'), system.signIn('SUPPORT')],
    ];
    for (const { userId } of callers) if (userId) ids.push(userId);
    // Something to buy from the start.
    for (let n = 0; n < 5; n += 1) {
      const { productId, saleId } = await system.givenProduct(6);
      ids.push(productId);
      sales.add(saleId);
    }
  }, 120_000);
  afterAll(() => system?.stop(), 60_000);

  async function send(made: MadeRequest): Promise<Answer> {
    const { operation, key } = made;
    const { pathId, query, body } = withIds(
      { pathId: made.pathId, query: made.query, body: made.body },
      (nth) => ids[ids.length - 1 - (nth % ids.length)] ?? '',
    );
    const caller = callers[made.caller % callers.length];
    const words = Object.entries(query ?? {}).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    const search = words.length > 0 ? `?${new URLSearchParams(words).toString()}` : '';
    const tag = made.ifMatch === undefined ? undefined : tags.at(-1 - (made.ifMatch % tags.length));
    const answer = await fetch(
      `${system.env.GATEWAY_URL}${operation.path.replace('{id}', encodeURIComponent(pathId))}${search}`,
      {
        method: operation.method.toUpperCase(),
        headers: {
          ...(caller?.token && { authorization: `Bearer ${caller.token}` }),
          ...(key !== undefined && { 'idempotency-key': key }),
          ...(tag && { 'if-match': tag, 'if-none-match': tag }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(limitMs),
      },
    );
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  }

  function judge(made: MadeRequest, { status, text, headers }: Answer): void {
    const { operation } = made;
    const complain = (what: string) =>
      found.push(`${operation.operationId} ${what}; sent ${JSON.stringify(made.body)}`);
    const type = headers.get('content-type') ?? '';
    const isJson = type.includes('json');
    const body = text && isJson ? (JSON.parse(text) as Record<string, unknown>) : undefined;
    const name = `${operation.operationId} ${status}${body?.code ? ` ${String(body.code)}` : ''}`;
    seen.set(name, (seen.get(name) ?? 0) + 1);
    if (status === 500) complain(`answered 500 ${text}`);
    const wrong = type.startsWith('text/csv') ? undefined : operation.judge(status, type, body);
    if (wrong) complain(wrong);
    // I15: nobody reads another person's order.
    const caller = callers[made.caller % callers.length];
    if (status < 300 && operation.path.startsWith('/api/orders')) {
      const order = (body?.order ?? body) as { _id?: string; userId?: string };
      if (order.userId && order.userId !== caller?.userId) complain('told of another one’s order');
      // I3: one key, one order.
      if (operation.operationId === 'placeOrder' && made.key) {
        const owner = `${caller?.userId} ${made.key.replaceAll('"', '')}`;
        const before = ordersByKey.get(owner);
        if (before && before !== order._id) complain(`made a second order under ${made.key}`);
        ordersByKey.set(owner, String(order._id));
      }
    }
    if (status >= 300) return;
    for (const [, id] of text.matchAll(/"(?:_id|holdId)":"([^"]+)"/g))
      if (id && !ids.includes(id)) ids.push(id);
    const tag = headers.get('etag');
    if (tag) tags.push(tag);
    if (operation.operationId === 'createSale') sales.add(String(body?._id));
    if (operation.operationId === 'createProduct') sales.add(String(caller?.userId));
  }

  it('no 500, every answer as documented, one order per key, no order of others', async () => {
    const everything = fc.sample(fc.oneof(...operations.map(requestsOf)), {
      numRuns: requests,
      seed,
    });
    const queue = everything.values();
    await Promise.all(
      Array.from({ length: atATime }, async () => {
        for (const made of queue)
          try {
            judge(made, await send(made));
          } catch (error) {
            found.push(`${made.operation.operationId}: ${String(error)}`);
          }
      }),
    );
    const tally = [...seen].sort(([a], [b]) => (a < b ? -1 : 1));
    process.stdout.write(tally.map(([name, count]) => `${name}: ${count}\n`).join(''));
    expect(found.slice(0, 20)).toEqual([]);
    // It went deep: things were made, bought, cancelled and refused.
    for (const name of ['createProduct 201', 'createSale 201', 'placeOrder 201', 'cancelOrder 200'])
      expect([name, seen.get(name) ?? 0]).toEqual([name, expect.any(Number)]);
    expect(seen.get('placeOrder 201')).toBeGreaterThan(5);
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  }, 300_000);

  it('and the books of every sale are right after it', async () => {
    for (const saleId of sales)
      await eventually(async () => expectBalanced(system, saleId), 60_000);
  }, 120_000);
});
