// Who may call what, route by route: what is not in this table may not exist.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Registry } from '@prometheus-io/client';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Express } from 'express';
import request from 'supertest';
import type { z } from 'zod';
import { roles, type Role } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import { createAdminApp, createApp, type Access, type Route } from '@quicksale/shared/http';
import { createLogger } from '@quicksale/shared/log';
import { findDestination } from '../gateway/src/proxy/routing-table.ts';

const merchants = ['MERCHANT', 'ADMIN'] as const;
const merchantsAndSupport = [...merchants, 'SUPPORT'] as const;

/** The whole of it. `internal`: on the admin port, for whoever has the internal key. */
const access: Readonly<Record<string, Access | 'internal'>> = {
  'GET /.well-known/jwks.json': 'public',
  'POST /api/auth/register': 'public',
  'POST /api/auth/login': 'public',
  'POST /api/auth/refresh': 'public',
  'POST /api/auth/logout': 'public',
  'GET /api/users/me': 'signed-in',
  'GET /api/users/me/addresses': 'signed-in',
  'POST /api/users/me/addresses': 'signed-in',
  'PUT /api/users/me/addresses/:id': 'signed-in',
  'DELETE /api/users/me/addresses/:id': 'signed-in',
  'POST /internal/admins': 'internal',
  'GET /api/inventory/products': 'public',
  'GET /api/inventory/products/:id': 'public',
  'POST /api/inventory/products': merchants,
  'PATCH /api/inventory/products/:id': merchants,
  'DELETE /api/inventory/products/:id': merchants,
  'PUT /api/inventory/products/:id/stock': merchants,
  'POST /api/inventory/products/:id/restock': merchants,
  'GET /api/inventory/products/:id/movements': merchants,
  'POST /api/inventory/reserve': 'signed-in',
  'POST /api/inventory/release': 'signed-in',
  'POST /api/inventory/confirm': merchants,
  'POST /internal/movements': 'internal',
  'POST /internal/sales/:id/rebuild': 'internal',
  'GET /api/sales': 'public',
  'GET /api/sales/:id': 'public',
  'POST /api/sales': merchants,
  'PATCH /api/sales/:id': merchants,
  'POST /api/sales/:id/pause': merchants,
  'POST /api/sales/:id/resume': merchants,
  'POST /api/sales/:id/close': merchants,
  'POST /api/sales/:id/restock': merchants,
  'GET /api/sales/:id/audit': merchants,
  'POST /api/orders': 'signed-in',
  'GET /api/orders': 'signed-in',
  'GET /api/orders/:id': 'signed-in',
  'POST /api/orders/:id/cancel': 'signed-in',
  'DELETE /api/orders/:id': 'signed-in',
  'POST /api/payments/intent': 'signed-in',
  'POST /api/payments/confirm': 'signed-in',
  'GET /api/payments/history': 'signed-in',
  'GET /api/payments/:id': 'signed-in',
  'GET /api/payments/methods': 'signed-in',
  'POST /api/payments/methods': 'signed-in',
  'DELETE /api/payments/methods/:id': 'signed-in',
  'POST /api/payments/:id/refund': ['MERCHANT', 'ADMIN', 'SUPPORT'],
  'POST /api/payments/webhook/:provider': 'public',
  'GET /api/merchant/settings': merchants,
  'PUT /api/merchant/settings': merchants,
  'POST /api/merchant/discounts': merchants,
  'GET /api/merchant/discounts': merchants,
  'GET /api/merchant/discounts/:id': merchants,
  'PATCH /api/merchant/discounts/:id': merchants,
  'PUT /api/orders/:id/status': merchants,
  'GET /api/orders/:id/invoice': 'signed-in',
  'GET /api/merchant/orders': merchantsAndSupport,
  'GET /api/merchant/orders/:id': merchantsAndSupport,
  'GET /api/merchant/orders.csv': merchantsAndSupport,
  'GET /api/cart': ['CUSTOMER'],
  'POST /api/cart/items': ['CUSTOMER'],
  'PUT /api/cart/items/:productId': ['CUSTOMER'],
  'DELETE /api/cart/items/:productId': ['CUSTOMER'],
  'DELETE /api/cart': ['CUSTOMER'],
  'POST /api/cart/checkout': ['CUSTOMER'],
  'POST /internal/house-orders': 'internal',
  'POST /internal/sales/:id/record': 'internal',
};

const root = join(import.meta.dirname, '..');
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root })
  .toString()
  .split('\n');
const production = files.filter((file) => /\/src\/.*\.ts$/.test(file) && !/\.test\.ts$/.test(file));
const routeFiles = production.filter((file) => file.endsWith('.routes.ts'));

/** Stands for all that a route needs to do its work: nobody here may get so far. */
const nothing: unknown = new Proxy(() => undefined, {
  get: (_target, name) => (name === 'then' ? undefined : nothing),
  apply: () => nothing,
});

type RouteFactory = (deps: unknown) => readonly Route[];

async function routesOf(file: string): Promise<readonly Route[]> {
  const url = pathToFileURL(join(root, file)).href;
  const exported = Object.entries((await import(url)) as Record<string, unknown>);
  const factories = exported.filter(([name]) => name.endsWith('Routes'));
  return factories.flatMap(([, factory]) => (factory as RouteFactory)(nothing));
}

const nameOf = ({ spec }: Route) => `${spec.method.toUpperCase()} ${spec.path}`;
const isInternal = ({ spec }: Route) => spec.path.startsWith('/internal/');
const log = createLogger({ service: 'test', level: 'silent' });
const asApp = (routes: readonly Route[]) =>
  createApp({
    service: 'test',
    version: '0',
    log,
    trustProxyHops: 0,
    routes,
    answerOnce: () => Promise.reject(new Error('got so far')),
    verifyAccessToken: async (token) => {
      const role = roles.find((one) => one === token);
      if (!role) throw new AppError('unauthenticated');
      return { userId: '0'.repeat(24), role, sessionId: 's', expiresAtMs: Infinity };
    },
  });
const asAdminApp = (internalRoutes: readonly Route[]) =>
  createAdminApp({
    log,
    internalKey: 'the internal key',
    metrics: new Registry(),
    started: () => true,
    checks: {},
    internalRoutes,
  });

describe('every route of every service', () => {
  let routes: readonly Route[];
  let app: Express;
  let admin: Express;
  beforeAll(async () => {
    routes = (await Promise.all(routeFiles.map(routesOf))).flat();
    app = asApp(routes.filter((one) => !isInternal(one)));
    admin = asAdminApp(routes.filter(isInternal));
  });

  const pathOf = (name: string) => (name.split(' ')[1] ?? '').replaceAll(/:\w+/g, '0'.repeat(24));
  const send = (to: Express, name: string, headers: Record<string, string>) => {
    const method = (name.split(' ')[0] ?? '').toLowerCase() as 'get' | 'post';
    return request(to)[method](pathOf(name)).set(headers);
  };
  const codeOf = async (test: request.Test) => {
    const { status, body } = await test;
    return [status, (body as { code?: unknown }).code];
  };

  it('declares who may call it, as this table says', () => {
    const declared = routes.map((one) => [
      nameOf(one),
      isInternal(one) ? 'internal' : one.spec.access,
    ]);
    expect(Object.fromEntries(declared)).toEqual(access);
    expect(declared).toHaveLength(Object.keys(access).length);
  });

  const guarded = Object.entries(access).filter(([, who]) => who !== 'public');

  it.each(guarded.filter(([, who]) => who !== 'internal'))(
    '%s answers 401 without a token, or with none that counts',
    async (name) => {
      const identity = { 'X-User-Id': '0'.repeat(24), 'X-User-Role': 'ADMIN' };
      const tries: Record<string, string>[] = [
        {},
        identity,
        { ...identity, Authorization: 'Basic QURNSU46' },
        { Authorization: 'Bearer nobody' },
        { Authorization: 'ADMIN' },
        { Cookie: 'token=ADMIN' },
      ];
      for (const headers of tries)
        expect(await codeOf(send(app, name, headers))).toEqual([401, 'unauthenticated']);
      const query = request(app).post(`${pathOf(name)}?access_token=ADMIN`);
      if (name.startsWith('POST')) expect(await codeOf(query)).toEqual([401, 'unauthenticated']);
    },
  );

  it.each(
    guarded.flatMap(([name, who]) => (typeof who === 'string' ? [] : [[name, who] as const])),
  )('%s answers 403 to every role but %j', async (name, allowed) => {
    for (const role of roles.filter((one) => !allowed.includes(one)) satisfies Role[])
      expect(await codeOf(send(app, name, { Authorization: `Bearer ${role}` }))).toEqual([
        403,
        'forbidden',
      ]);
  });

  it.each(guarded.filter(([, who]) => who === 'internal'))(
    '%s answers 401 without the internal key, whoever asks',
    async (name) => {
      const tries: Record<string, string>[] = [
        {},
        { Authorization: 'Bearer ADMIN' },
        { 'X-Internal-Key': '' },
        { 'X-Internal-Key': 'the internal kez' },
      ];
      for (const headers of tries)
        expect(await codeOf(send(admin, name, headers))).toEqual([401, 'unauthenticated']);
      expect(await codeOf(send(app, name, { 'X-Internal-Key': 'the internal key' }))).toEqual([
        404,
        'not-found',
      ]);
      expect(findDestination('POST', pathOf(name))).toBeUndefined();
    },
  );

  it('is known to the gateway, which counts strangers where a token is needed', () => {
    for (const one of routes.filter((route) => !isInternal(route)))
      expect([
        nameOf(one),
        findDestination(one.spec.method.toUpperCase(), pathOf(nameOf(one)))?.needsToken,
      ]).toEqual([nameOf(one), one.spec.access !== 'public']);
  });

  it('refuses fields that it does not know, in its body and in its query', () => {
    const isStrict = (schema: z.ZodType | undefined) =>
      !schema ||
      schema
        .safeParse({ nobodyKnowsIt: 1 })
        .error?.issues.some(({ code }) => code === 'unrecognized_keys');
    const loose = routes.filter(({ spec }) => !isStrict(spec.body) || !isStrict(spec.query));
    expect(loose.map(nameOf)).toEqual([]);
    expect(routes.filter(({ spec }) => spec.body).length).toBeGreaterThan(10);
  });

  it('is mounted where its credential is asked for, or not at all', () => {
    expect(() => asApp(routes)).toThrow('belongs on the admin port');
    expect(() => asAdminApp(routes)).toThrow('without a key');
  });
});

it('no route goes round route() and its declaration', () => {
  const direct = production.filter((file) =>
    /\b(app|router|server)\s*\.(all|get|post|put|patch|delete|route)\(\s*['"`[/]|\bRouter\(/.test(
      readFileSync(join(root, file), 'utf8'),
    ),
  );
  expect(direct.sort()).toEqual([
    'gateway/src/pages/pages.ts',
    'gateway/src/service.ts',
    'shared/src/http/admin-app.ts',
    'shared/src/http/create-app.ts',
  ]);
});
