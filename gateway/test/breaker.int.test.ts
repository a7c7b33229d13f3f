import type { IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import type { Gateway } from '../src/service.ts';
import {
  buildGateway,
  readMetric,
  startFakeService,
  withGateway,
  type FakeService,
} from './gateway-fixture.ts';

const namespace = testNamespace('breaker');
let service: FakeService;
let gateway: Gateway;
let base: string;

beforeAll(async () => {
  service = await startFakeService();
});
afterAll(() => service.stop());
beforeEach(async () => {
  service.reset();
  // A breaker remembers: each test has a gateway of its own.
  gateway = buildGateway({ namespace, serviceUrl: service.url, upstreamTimeoutMs: 200 });
  await gateway.start();
  base = `http://127.0.0.1:${gateway.port()}`;
});
afterEach(() => gateway.stop());

const get = (path = '/api/sales') => request(base).get(path);
const isOpen = (upstream = 'inventory') =>
  readMetric(gateway, `quicksale_upstream_breaker_open{upstream="${upstream}"}`);
const resetConnections = () => service.answerWith((req) => req.socket.resetAndDestroy());

async function fail(times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) expect((await get()).status).toBe(503);
}

describe('a service that does not answer', () => {
  it('is left alone after 20 requests, and asked again when it is back', async () => {
    resetConnections();
    await fail(19);
    expect([service.seen.length, await isOpen()]).toEqual([19, 0]);
    await fail(1);
    expect([service.seen.length, await isOpen()]).toEqual([20, 1]);

    const refused = await get();
    expect(service.seen).toHaveLength(20);
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'dependency-unavailable', instance: '/api/sales' });
    expect(refused.headers['retry-after']).toMatch(/^[1-3]$/);

    service.reset();
    expect((await get('/api/payments/webhook')).status).toBe(200);
    await eventually(async () => expect((await get()).status).toBe(200));
    expect(await isOpen()).toBe(0);
  });

  it('is left alone when half of the requests failed', async () => {
    for (let i = 0; i < 10; i += 1) expect((await get()).status).toBe(200);
    resetConnections();
    await fail(10);
    expect(await isOpen()).toBe(1);
  });

  it('is asked by one request at a time until it answers', async () => {
    resetConnections();
    await fail(20);
    // Silent from now on: the one that tries stays with it for a while.
    service.answerWith(() => undefined);
    service.seen.length = 0;
    await eventually(async () => {
      await Promise.all(Array.from({ length: 10 }, () => get()));
      expect(service.seen.length).toBeGreaterThan(0);
    });
    expect(service.seen).toHaveLength(1);
    expect(await isOpen()).toBe(1);
  });

  it('is left alone when it is silent', async () => {
    service.answerWith(() => undefined);
    await Promise.all(Array.from({ length: 20 }, () => get()));
    expect(await isOpen()).toBe(1);
  });

  it('gets no more of those that have waited in the gateway for their turn', async () => {
    const buyers = 1_000;
    const held: IncomingMessage[] = [];
    let isHolding = true;
    service.answerWith((req, res) => {
      if (req.url !== '/api/sales') res.end('{}');
      else if (isHolding) held.push(req);
      else req.socket.resetAndDestroy();
    });
    const patient = buildGateway({
      namespace,
      serviceUrl: service.url,
      upstreamTimeoutMs: 20_000,
    });
    await withGateway(patient, async (url) => {
      const asked = Promise.all(
        Array.from({ length: buyers }, () => request(url).get('/api/sales')),
      );
      // All are counted, so nearly all wait, when the first connections are reset.
      await eventually(async () => {
        const { headers } = await request(url).post('/api/auth/login').send({});
        const left = Number(/r=(\d+)/.exec(headers.ratelimit ?? '')?.[1]);
        expect(left).toBeLessThan(100_000 - 0.95 * buyers);
      });
      isHolding = false;
      for (const { socket } of held) socket.resetAndDestroy();
      const replies = await asked;
      const codes = new Set(replies.map(({ body }) => (body as { code: string }).code));
      expect([...codes]).toEqual(['dependency-unavailable']);
      const entered = service.seen.filter(({ url: path }) => path === '/api/sales');
      expect(entered.length).toBeLessThan(0.8 * buyers);
    });
  }, 20_000);
});

describe('no reason to leave a service alone', () => {
  it.each([400, 404, 429, 500, 503])('is an answer of %i', async (status) => {
    service.answerWith((_req, res) => res.writeHead(status).end());
    for (let i = 0; i < 30; i += 1) expect((await get()).status).toBe(status);
    expect([service.seen.length, await isOpen()]).toEqual([30, 0]);
  });

  it('are clients that go away', async () => {
    service.answerWith(() => undefined);
    const impatient = () => fetch(`${base}/api/sales`, { signal: AbortSignal.timeout(50) });
    await Promise.allSettled(Array.from({ length: 30 }, impatient));
    service.answerWith((_req, res) => res.end('{}'));
    expect([(await get()).status, await isOpen()]).toEqual([200, 0]);
  });

  it('is another service', async () => {
    resetConnections();
    await fail(20);
    service.reset();
    expect([await isOpen('inventory'), await isOpen('auth')]).toEqual([1, 0]);
    await request(base).post('/api/auth/login').send({}).expect(200);
  });
});
