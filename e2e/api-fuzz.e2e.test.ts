import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Role } from '@quicksale/shared/contracts';
import { eventually } from '@quicksale/shared/testing';
import { readApiDocument, type Operation } from './api-document.ts';
import { requestsOf, withIds, type IdKind, type MadeRequest } from './request-arbitraries.ts';
import { startSystem, type System } from './system.ts';

/** `FUZZ_REQUESTS` and `FUZZ_SEED` run more of them, or the same again. */
const requests = Number(process.env.FUZZ_REQUESTS ?? 5_000);
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const atATime = 8;
/** Few of these requests come to something, and what follows needs them: they are made more often. */
const weights: Readonly<Record<string, number>> = {
  createSale: 12,
  setStock: 3,
  placeHold: 3,
  releaseHold: 3,
  auditSale: 3,
};
/** A request that answers late for once is no failure of the fuzz. */
const limitMs = 20_000;

interface Caller {
  token?: string;
  userId?: string;
  role?: Role;
}

/** Something that the shop has told of, and whose it is. */
interface Known {
  kind: IdKind;
  id: string;
  owner: string | undefined;
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
  const known: Known[] = [];
  /** By the thing that they are of. */
  const tags = new Map<string, string>();
  const found: string[] = [];
  const seen = new Map<string, number>();
  const ordersByKey = new Map<string, string>();
  const sales = new Set<string>();

  beforeAll(async () => {
    system = await startSystem({
      name: 'fuzz',
      settings: {
        // What must be seen is not to depend on chance.
        QUICKSALE_ANSWERS_FILE: '',
        ...Object.fromEntries(
          ['DEFAULT', 'STRANGERS', 'ORDERS', 'RESERVE', 'REGISTER', 'LOGIN', 'LOGIN_FAILURES'].map(
            (name) => [`RATE_LIMIT_${name}`, '1000000/60'],
          ),
        ),
      },
    });
    operations = await readApiDocument(system);
    const signIn = (role: Role) => ({ role, ...system.signIn(role) });
    callers = [
      ...[{}, { token: 'nonsense' }],
      ...Array.from({ length: 4 }, () => signIn('CUSTOMER')),
      ...Array.from({ length: 4 }, () => signIn('MERCHANT')),
      ...[signIn('ADMIN'), signIn('SUPPORT')],
    ];
    // Something to buy from the start.
    for (let n = 0; n < 5; n += 1) {
      const { productId, saleId } = await system.givenProduct(6);
      known.push({ kind: 'product', id: productId, owner: saleId });
      sales.add(saleId);
    }
  }, 120_000);
  afterAll(() => system?.stop(), 60_000);

  function callerOf({ caller, isSuited, operation }: MadeRequest): Caller {
    const { roles } = operation;
    const suited = callers.filter(
      ({ role }) => role && (roles.length === 0 || roles.includes(role)),
    );
    const from = isSuited ? suited : callers;
    return from[caller % from.length] ?? {};
  }

  /** Mostly something of the caller's own, where there is any. */
  function idFor({ userId }: Caller, kind: IdKind, nth: number): string {
    const all = known.filter((one) => one.kind === kind);
    const own = all.filter(({ owner }) => owner === userId);
    const from = own.length > 0 && nth % 4 > 0 ? own : all;
    return from.at(-1 - (nth % Math.max(from.length, 1)))?.id ?? '65a000000000000000000001';
  }

  async function send(made: MadeRequest): Promise<Answer> {
    const { operation, key } = made;
    const caller = callerOf(made);
    const { pathId, query, body } = withIds(
      { pathId: made.pathId, query: made.query, body: made.body },
      (kind, nth) => idFor(caller, kind, nth),
    );
    const words = Object.entries(query ?? {}).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    const search = words.length > 0 ? `?${new URLSearchParams(words).toString()}` : '';
    const tag = made.ifMatch === undefined ? undefined : tagFor(pathId, made.ifMatch);
    const answer = await fetch(
      `${system.env.GATEWAY_URL}${operation.path.replace('{id}', encodeURIComponent(pathId))}${search}`,
      {
        method: operation.method.toUpperCase(),
        headers: {
          ...(caller.token && { authorization: `Bearer ${caller.token}` }),
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

  const tagFor = (id: string, nth: number) =>
    nth % 4 > 0 ? (tags.get(id) ?? '*') : ['"1"', 'nonsense', '*'][nth % 3];

  function judge(made: MadeRequest, { status, text, headers }: Answer): void {
    const { operation } = made;
    const complain = (what: string) =>
      found.push(`${operation.operationId} ${what}; sent ${JSON.stringify(made.body)}`);
    const type = headers.get('content-type') ?? '';
    const isJson = type.includes('json');
    const body = text && isJson ? (JSON.parse(text) as Record<string, unknown>) : undefined;
    const code = typeof body?.code === 'string' ? ` ${body.code}` : '';
    const name = `${operation.operationId} ${status}${code}`;
    seen.set(name, (seen.get(name) ?? 0) + 1);
    if (status === 500) complain(`answered 500 ${text}`);
    const wrong = type.startsWith('text/csv')
      ? undefined
      : operation.judge(status, type, isJson ? body : text || undefined);
    if (wrong) complain(wrong);
    // I15: nobody reads another person's order.
    const caller = callerOf(made);
    const isForMerchants = operation.roles.includes('MERCHANT');
    if (status < 300 && isForMerchants && caller.role === 'MERCHANT')
      for (const order of (body?.data ?? [body]) as { merchantId?: string }[])
        if (order?.merchantId && order.merchantId !== caller.userId)
          complain('told a merchant of another one’s order');
    if (status < 300 && !isForMerchants && operation.path.startsWith('/api/orders')) {
      const order = (body?.order ?? body ?? {}) as { _id?: string; userId?: string };
      if (order.userId && order.userId !== caller.userId) complain('told of another one’s order');
      // I3: one key, one order.
      if (operation.operationId === 'placeOrder' && made.key) {
        const owner = `${caller.userId} ${made.key.replaceAll('"', '')}`;
        const before = ordersByKey.get(owner);
        if (before && before !== order._id) complain(`made a second order under ${made.key}`);
        ordersByKey.set(owner, String(order._id));
      }
    }
    if (status >= 300) return;
    remember(operation.operationId, body ?? {}, caller);
    const { _id: id } = Object(body?.product ?? body?.order ?? body) as { _id?: string };
    const tag = headers.get('etag');
    if (tag && id) tags.set(id, tag);
    if (operation.operationId === 'createSale') sales.add(String(body?._id));
    if (operation.operationId === 'createProduct') sales.add(String(caller.userId));
  }

  function remember(operationId: string, body: Record<string, unknown>, { userId }: Caller): void {
    const add = (kind: IdKind, id: unknown) =>
      void known.push({ kind, id: String(id), owner: userId });
    if (operationId === 'createProduct') add('product', (body.product as { _id: string })._id);
    if (operationId === 'createSale') add('sale', body._id);
    if (operationId === 'placeOrder') add('order', (body.order as { _id: string })._id);
    if (operationId === 'placeHold') add('hold', body.holdId);
  }

  it('no 500, every answer as documented, one order per key, no order of others', async () => {
    const weighted = operations.map((operation) => ({
      arbitrary: requestsOf(operation),
      weight: weights[operation.operationId] ?? 1,
    }));
    const everything = fc.sample(fc.oneof(...weighted), { numRuns: requests, seed });
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
    // It went deep: things were made, bought, put aside, changed, given back.
    for (const call of ['createProduct 201', 'createSale 201', 'placeOrder 201', 'placeHold 201'])
      expect([call, seen.get(call)]).toEqual([call, expect.any(Number)]);
    for (const call of ['cancelOrder 200', 'setStock 200', 'releaseHold 200', 'auditSale 200'])
      expect([call, seen.get(call)]).toEqual([call, expect.any(Number)]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  }, 300_000);

  it('and the books of every sale are right after it', async () => {
    const { token } = system.signIn('ADMIN');
    expect(sales.size).toBeGreaterThan(5);
    for (const saleId of sales)
      await eventually(async () => {
        const { body } = await system.api.call(`/api/sales/${saleId}/audit`, { token });
        expect([saleId, body.verdict, body.drifts]).toEqual([saleId, 'ok', []]);
      }, 60_000);
  }, 120_000);
});
