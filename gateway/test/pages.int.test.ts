import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { errorRegistry } from '@quicksale/shared/errors';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import type { Gateway } from '../src/service.ts';
import {
  buildGateway,
  sendRaw,
  startFakeService,
  withGateway,
  type FakeService,
} from './gateway-fixture.ts';

let service: FakeService;
let gateway: Gateway;
let base: string;
beforeAll(async () => {
  service = await startFakeService();
  gateway = buildGateway({ namespace: testNamespace('pages'), serviceUrl: service.url });
  await gateway.start();
  base = `http://127.0.0.1:${gateway.port()}`;
}, 30_000);
afterAll(async () => {
  await gateway.stop();
  await service.stop();
});

const get = async (path: string) => {
  const answer = await fetch(base + path, { redirect: 'manual' });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};

describe('pages', () => {
  it.each(['/', '/docs', '/errors', '/errors/sold-out'])(
    '%s loads nothing from elsewhere, and all that it loads is there',
    async (path) => {
      const { status, headers, text } = await get(path);
      expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      expect(headers.get('content-security-policy')).toContain("default-src 'self'");
      expect(text).not.toMatch(/(src|href)="(https?:)?\/\//);
      const loaded = [...text.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, at]) => at ?? '');
      expect(loaded.length).toBeGreaterThan(2);
      for (const at of loaded) expect([at, (await get(at)).status]).toEqual([at, 200]);
      expect(service.seen.filter(({ url }) => url !== '/health')).toEqual([]);
    },
  );

  it('the API docs are an OpenAPI 3.1 document', async () => {
    const { headers, text } = await get('/openapi.json');
    expect(headers.get('content-type')).toContain('application/json');
    expect(JSON.parse(text)).toMatchObject({
      openapi: '3.1.0',
      paths: { '/api/orders': { post: { operationId: 'placeOrder' } } },
    });
  });

  it('every error code has its page, with its advice; no other has', async () => {
    for (const [code, { title }] of Object.entries(errorRegistry)) {
      const { status, text } = await get(`/errors/${code}`);
      expect([code, status]).toEqual([code, 200]);
      expect(text).toContain(`<code>${code}</code>`);
      expect(text).toContain(title.replaceAll("'", '&#39;'));
    }
    for (const path of ['/errors/nothing', '/errors/constructor', '/assets/pages.ts', '/docs/x'])
      expect([path, (await get(path)).status]).toEqual([path, 404]);
  });

  it('say which service is away, and twenty of them ask as often as one', async () => {
    const states = async () => {
      const { services } = JSON.parse((await get('/status.json')).text) as {
        services: { name: string; state: string; version?: string; address?: string }[];
      };
      return services;
    };
    service.answerWith((_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ status: 'ok', version: '1.2.3', uptimeSeconds: 7 }));
    });
    await eventually(async () => {
      expect(await states()).toMatchObject([
        { name: 'gateway', state: 'ok' },
        { name: 'auth-service', state: 'ok', version: '1.2.3', address: new URL(service.url).host },
        ...[{ state: 'ok' }, { state: 'ok' }, { state: 'ok' }],
      ]);
    });
    const before = service.seen.length;
    await Promise.all(Array.from({ length: 20 }, states));
    // A second may have passed in their midst.
    expect(service.seen.length - before).toBeLessThanOrEqual(8);
    service.answerWith((_req, res) => void res.writeHead(500).end());
    await eventually(async () => {
      const all = await states();
      expect(all.map(({ state }) => state)).toEqual(['ok', 'away', 'away', 'away', 'away']);
    });
  });

  it('leave the connection open after what they load', async () => {
    const asked = 'GET /assets/page.css HTTP/1.1\r\nHost: x\r\n';
    const text = await sendRaw(gateway.port(), `${asked}\r\n${asked}Connection: close\r\n\r\n`);
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  });

  it('take nothing from those who buy: their readers have a limit of their own', async () => {
    service.reset();
    const limited = buildGateway({
      namespace: testNamespace('readers'),
      serviceUrl: service.url,
      env: { RATE_LIMIT_PAGES: '3/60', RATE_LIMIT_DEFAULT: '2/60' },
    });
    await withGateway(limited, async (url) => {
      const statuses = async (path: string) => {
        const seen: number[] = [];
        for (let n = 0; n < 4; n += 1) seen.push((await fetch(url + path)).status);
        return seen;
      };
      expect(await statuses('/errors')).toEqual([200, 200, 200, 429]);
      expect(await statuses('/api/sales')).toEqual([200, 200, 429, 429]);
    });
  });
});
