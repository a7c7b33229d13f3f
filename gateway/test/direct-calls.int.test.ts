import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Express } from 'express';
import request from 'supertest';
import { config as authConfig } from '@quicksale/auth-service/config';
import { buildService as buildAuthService } from '@quicksale/auth-service/service';
import { config as inventoryConfig } from '@quicksale/inventory-service/config';
import { buildService as buildInventoryService } from '@quicksale/inventory-service/service';
import { config as orderConfig } from '@quicksale/order-service/config';
import { buildService as buildOrderService } from '@quicksale/order-service/service';
import { loadConfig } from '@quicksale/shared/config';
import { createLogger } from '@quicksale/shared/log';
import { testNamespace } from '@quicksale/shared/testing';
import { buildGateway, startFakeService, withGateway } from './gateway-fixture.ts';

/** The services themselves, as somebody finds them who has got past the gateway. */
const folder = mkdtempSync(join(tmpdir(), 'quicksale-direct-'));
const namespace = testNamespace('direct');
const log = createLogger({ service: 'test', level: 'silent' });
const apps: Record<string, Express> = {};

beforeAll(() => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  // None is started: who is refused must not need a store for it.
  const env = {
    ...process.env,
    NAMESPACE: namespace,
    INTERNAL_KEY: 'internal-key-of-the-test',
    JWT_PRIVATE_KEY_FILE: join(folder, 'key.pem'),
    JWKS_URL: 'http://127.0.0.1:1/',
  };
  apps.auth = buildAuthService(loadConfig(authConfig, env), log).app;
  apps.inventory = buildInventoryService(loadConfig(inventoryConfig, env), log).app;
  apps.order = buildOrderService(loadConfig(orderConfig, env), log).app;
});
afterAll(() => rmSync(folder, { recursive: true }));

const id = '65a000000000000000000001';
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
const unsigned = `${encode({ alg: 'none', typ: 'at+jwt' })}.${encode({ sub: id, role: 'ADMIN' })}.`;
const forged = {
  'X-User-Id': id,
  'X-User-Role': 'ADMIN',
  X_User_Id: id,
  'X-Internal-Key': 'internal-key-of-the-test',
  'X-Forwarded-User': id,
  'X-Forwarded-For': '127.0.0.1',
};
const credentials = [
  {},
  { Authorization: `Bearer ${unsigned}` },
  { Authorization: 'Basic YWRtaW46YWRtaW4=' },
  { Authorization: `Bearer ${id}, Bearer ${unsigned}` },
];

type Call = [app: string, method: 'get' | 'post' | 'put' | 'patch' | 'delete', path: string];

describe('a call at the port of a service with forged identity headers', () => {
  it.each<Call>([
    ['auth', 'get', '/api/users/me'],
    ['inventory', 'post', '/api/inventory/products'],
    ['inventory', 'patch', `/api/inventory/products/${id}`],
    ['inventory', 'put', `/api/inventory/products/${id}/stock`],
    ['inventory', 'post', '/api/inventory/reserve'],
    ['inventory', 'post', '/api/sales'],
    ['inventory', 'post', `/api/sales/${id}/pause`],
    ['inventory', 'get', `/api/sales/${id}/audit`],
    ['order', 'post', '/api/orders'],
    ['order', 'get', '/api/orders'],
    ['order', 'get', `/api/orders/${id}`],
    ['order', 'post', `/api/orders/${id}/cancel`],
  ])('to %s, %s %s: 401', async (name, method, path) => {
    const app = apps[name];
    if (!app) throw new Error(`no app of ${name}`);
    for (const more of credentials) {
      const sent = request(app)
        [method](path)
        .set({ ...forged, ...more });
      const reply = await (method === 'get' ? sent : sent.send({}));
      expect([reply.status, reply.body.code]).toEqual([401, 'unauthenticated']);
    }
  });

  it.each(['auth', 'inventory', 'order'])('finds nothing internal at %s', async (name) => {
    const app = apps[name];
    if (!app) throw new Error(`no app of ${name}`);
    for (const path of [
      '/internal/admins',
      '/internal/house-orders',
      '/metrics',
      '/readyz',
      '/livez',
    ])
      await request(app).get(path).set(forged).expect(404);
  });
});

describe('the admin port', () => {
  it('shows nothing internal without its key', async () => {
    const service = await startFakeService();
    const gateway = buildGateway({ namespace, serviceUrl: service.url });
    try {
      await withGateway(gateway, async () => {
        const admin = request(`http://127.0.0.1:${gateway.adminPort()}`);
        const right = 'internal-key-of-the-test';
        for (const key of ['', 'x', right.slice(1), `${right}x`, `${right}, ${right}`])
          await admin.get('/internal/anything').set('X-Internal-Key', key).expect(401);
        await admin.get('/INTERNAL/anything').expect(401);
        await admin.get('/internal/anything').set('X_Internal_Key', right).expect(401);
        await admin.get('/internal/anything').set('X-Internal-Key', right).expect(404);
      });
    } finally {
      await service.stop();
    }
  });
});
