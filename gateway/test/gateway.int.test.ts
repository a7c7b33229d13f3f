import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { WebSocket, WebSocketServer } from 'ws';
import { createLogger } from '@quicksale/shared/log';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import type { Gateway } from '../src/service.ts';
import {
  buildGateway,
  sendRaw as sendRawTo,
  startFakeService,
  withGateway,
  type FakeService,
} from './gateway-fixture.ts';

const namespace = testNamespace('gateway');
const logLines: string[] = [];
const log = createLogger(
  { service: 'test', level: 'debug' },
  { write: (line) => void logLines.push(line) },
);
const origin = 'http://shop.example';
const secret = 'very-secret-token';

let service: FakeService;
let sockets: WebSocketServer;
const upgrades: IncomingMessage[] = [];
let gateway: Gateway;
let base: string;

const build = (serviceUrl: string, changes: Record<string, string> = {}) =>
  buildGateway({
    namespace,
    serviceUrl,
    log,
    env: { CORS_ORIGINS: origin, WS_ORIGINS: origin, ...changes },
  });

beforeAll(async () => {
  service = await startFakeService();
  sockets = new WebSocketServer({ server: service.server, path: '/ws' });
  sockets.on('connection', (socket, req) => {
    upgrades.push(req);
    socket.on('message', (message: Buffer) => socket.send(`echo ${message.toString()}`));
  });
  gateway = build(service.url);
  await gateway.start();
  base = `http://127.0.0.1:${gateway.port()}`;
});
afterAll(async () => {
  await gateway.stop();
  for (const client of sockets.clients) client.terminate();
  await service.stop();
});
beforeEach(() => service.reset());

const newToken = () => service.newToken();
const sendRaw = (text: string) => sendRawTo(gateway.port(), text);

describe('passing on', () => {
  it('keeps path, query, body and headers, and adds request id and address', async () => {
    const reply = await request(base)
      .post('/api/orders?x=1%202')
      .set('Authorization', `Bearer ${newToken()}`)
      .set('Idempotency-Key', 'order-1')
      .set('X-Request-Id', 'mine-1')
      .set('X-Forwarded-For', '1.1.1.1')
      .send({ items: [] });
    expect(reply.status).toBe(200);
    expect(reply.headers['x-request-id']).toBe('mine-1');
    expect(service.seen).toMatchObject([
      {
        url: '/api/orders?x=1%202',
        body: '{"items":[]}',
        headers: {
          'idempotency-key': 'order-1',
          'x-request-id': 'mine-1',
          'x-forwarded-for': '127.0.0.1',
          host: service.url.slice('http://'.length),
        },
      },
    ]);
    expect(service.seen[0]?.headers.authorization).toMatch(/^Bearer ey/);
  });

  it('strips identity headers in every spelling', async () => {
    await request(base)
      .get('/api/users/me')
      .set({ 'X-User-Id': '1', 'x-user-role': 'ADMIN', X_User_Id: '1', 'X-Internal-Key': 'k' })
      .set('Connection', 'x-request-id, authorization')
      .set('Authorization', 'Bearer x');
    const names = Object.keys(service.seen[0]?.headers ?? {});
    expect(names.filter((name) => /user-|user_|internal/.test(name))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['authorization', 'x-request-id']));
  });

  it('believes X-Forwarded-For of configured proxies only', async () => {
    await withGateway(build(service.url, { GATEWAY_TRUST_PROXY_HOPS: '1' }), async (url) => {
      await request(url).get('/api/users/me').set('X-Forwarded-For', '6.6.6.6, 203.0.113.7');
      expect(service.seen[0]?.headers['x-forwarded-for']).toBe('203.0.113.7');
    });
  });

  it('keeps connections to the services open, whatever the client does with its own', async () => {
    const ports = new Set<number | undefined>();
    service.answerWith((req, res) => {
      ports.add(req.socket.remotePort);
      res.end('{}');
    });
    for (let i = 0; i < 5; i += 1)
      await request(base)
        .get('/api/sales')
        .set('Connection', 'close')
        .expect('connection', 'close');
    expect(ports.size).toBe(1);
  });

  it('streams events past the time limit of other answers', async () => {
    service.answerWith((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      setTimeout(() => res.end('data: 2\n\n'), 700);
    });
    const reply = await request(base).get(`/api/orders/${'a'.repeat(24)}/events`);
    expect(reply.text).toBe('data: 1\n\ndata: 2\n\n');
  });

  it('takes a client that goes away as nothing special', async () => {
    let isClosed = false;
    service.answerWith((req, res) => {
      res.on('close', () => (isClosed = true));
      void req;
    });
    await expect(
      fetch(`${base}/api/sales`, { signal: AbortSignal.timeout(100) }),
    ).rejects.toThrow();
    await eventually(() => expect(isClosed).toBe(true));
    service.answerWith((_req, res) => res.end('{}'));
    await request(base).get('/api/sales').expect(200);
  });
});

describe('what is not there', () => {
  it.each([
    '/internal/admins',
    '//api/orders',
    '/api/orders/%2e%2e/%2e%2e/internal/admins',
    '/api/orders/..%2f..%2finternal',
    '/API/orders',
    '/api/unknown',
    'http://127.0.0.1/api/orders',
    '/assets/nothing/here',
  ])('%s is a 404 problem and reaches no service', async (target) => {
    const reply = await sendRaw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 404 /);
    expect(reply).toContain('"code":"not-found"');
    expect(service.seen).toEqual([]);
  });

  it('/health answers by itself', async () => {
    const reply = await request(base).get('/health');
    expect(reply.body).toMatchObject({ status: 'ok', service: 'gateway', version: '0.1.0' });
    expect(reply.headers['x-powered-by']).toBeUndefined();
    expect(reply.headers['x-content-type-options']).toBe('nosniff');
  });

  it('two idempotency keys are refused: the service could not tell them from one', async () => {
    const reply = await sendRaw(
      'POST /api/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n' +
        'Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n',
    );
    expect(reply).toMatch(/^HTTP\/1\.1 400 [\s\S]*idempotency-key-invalid/);
  });
});

describe('large bodies', () => {
  const large = 'x'.repeat(16 * 1024 + 1);

  it('are refused by their announced length', async () => {
    const reply = await request(base).post('/api/auth/login').send({ large });
    expect(reply.status).toBe(413);
    expect(reply.body.code).toBe('payload-too-large');
    expect(service.seen).toEqual([]);
  });

  it('are cut off when no length is announced', async () => {
    const chunk = `2000\r\n${'x'.repeat(0x2000)}\r\n`;
    const reply = await sendRaw(
      `POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(3)}`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 413 /);
    expect(service.seen).toEqual([]);
  });

  it('of 16 KiB without a length pass whole', async () => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n0\r\n\r\n`;
    const reply = await sendRaw(
      `POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk}`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 200 /);
    expect(service.seen[0]?.body).toHaveLength(0x4000);
  });

  it('with Expect: 100-continue come through cleaned', async () => {
    const reply = await sendRaw(
      'POST /api/auth/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nX-User-Id: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    );
    expect(reply).toContain('HTTP/1.1 200 ');
    expect(service.seen[0]?.headers).not.toHaveProperty('x-user-id');
  });
});

describe('limits', () => {
  const order = (url: string, token: string) =>
    request(url).post('/api/orders').set('Authorization', `Bearer ${token}`).send({});

  it('are per user, and tell themselves', async () => {
    const [ann, bob] = [newToken(), newToken()];
    const first = await order(base, ann);
    expect(first.headers['ratelimit-policy']).toBe('"orders";q=10;w=60');
    expect(first.headers.ratelimit).toBe('"orders";r=9;t=60');
    const rest = await Promise.all(Array.from({ length: 12 }, () => order(base, ann)));
    const refused = rest.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(3);
    expect(refused[0]?.body.code).toBe('rate-limited');
    expect(refused[0]?.headers['retry-after']).toMatch(/^\d+$/);
    expect((await order(base, bob)).status).toBe(200);
  });

  it('cost nothing for an answer of 503', async () => {
    const token = newToken();
    service.answerWith((_req, res) => res.writeHead(503).end());
    for (let i = 0; i < 15; i += 1) {
      expect((await order(base, token)).status).toBe(503);
    }
    service.answerWith((_req, res) => res.end('{}'));
    await eventually(async () => {
      const reply = await order(base, token);
      expect(reply.headers.ratelimit).toMatch(/r=[4-9];/);
    });
  });

  it('count every 503 of an order that is named: anybody can make up an id', async () => {
    service.answerWith((_req, res) => void res.writeHead(503).end());
    await withGateway(build(service.url, { RATE_LIMIT_DEFAULT: '2/60' }), async (url) => {
      const token = service.newToken();
      const statuses: number[] = [];
      for (let n = 0; n < 3; n += 1) {
        const path = `/api/orders/65a00000000000000000000${n}/cancel`;
        const asked = request(url).post(path).set('Authorization', `Bearer ${token}`);
        statuses.push((await asked.send({})).status);
      }
      expect(statuses).toEqual([503, 503, 429]);
    });
  });

  it('of an address hit only those without a valid token', async () => {
    const limited = build(service.url, { RATE_LIMIT_STRANGERS: '2/60' });
    await withGateway(limited, async (url) => {
      const me = (token: string) =>
        request(url).get('/api/users/me').set('Authorization', `Bearer ${token}`);
      expect((await me('forged')).status).toBe(200);
      expect((await request(url).get('/api/users/me')).status).toBe(200);
      expect((await me('forged')).status).toBe(429);
      expect((await me(newToken())).status).toBe(200);
      expect((await request(url).get('/api/sales')).status).toBe(200);
    });
  });

  it('work without Redis', async () => {
    await withGateway(build(service.url, { REDIS_URL: 'redis://127.0.0.1:1' }), async (url) => {
      const token = newToken();
      const replies = [];
      for (let i = 0; i < 11; i += 1) replies.push((await order(url, token)).status);
      expect(replies).toEqual([...Array<number>(10).fill(200), 429]);
    });
  });

  it('count by address while the keys of tokens cannot be had, and refuse nobody for it', async () => {
    const keyless = build(service.url, {
      JWKS_URL: 'http://127.0.0.1:1/',
      RATE_LIMIT_STRANGERS: '1/60',
    });
    await withGateway(keyless, async (url) => {
      for (let i = 0; i < 3; i += 1)
        await request(url)
          .get('/api/users/me')
          .set('Authorization', `Bearer ${newToken()}`)
          .expect(200);
    });
  });
});

describe('a service that is away', () => {
  const get = (url: string) => request(url).get('/api/sales');
  const expectUnavailable = (reply: request.Response) => {
    expect(reply.status).toBe(503);
    expect(reply.headers['content-type']).toMatch('application/problem+json');
    expect(reply.headers['retry-after']).toMatch(/^[1-3]$/);
    expect(reply.body).toMatchObject({ code: 'dependency-unavailable', instance: '/api/sales' });
  };

  it('refusing connections: 503', async () => {
    const away = build('http://127.0.0.1:1');
    await withGateway(away, async (url) => expectUnavailable(await get(url)));
  });

  it('resetting connections: 503', async () => {
    service.answerWith((req) => req.socket.resetAndDestroy());
    expectUnavailable(await get(base));
  });

  it('silent: 503 after the time limit', async () => {
    service.answerWith(() => undefined);
    const started = performance.now();
    expectUnavailable(await get(base));
    expect(performance.now() - started).toBeGreaterThan(350);
  });

  it('answering with an error: that answer', async () => {
    service.answerWith((_req, res) =>
      res.writeHead(500, { 'x-mark': '1' }).end('{"code":"internal"}'),
    );
    const reply = await get(base);
    expect([reply.status, reply.headers['x-mark']]).toEqual([500, '1']);
  });

  it('dying within an answer: the client sees that it is not whole', async () => {
    service.answerWith((req, res) => {
      res.writeHead(200, { 'content-length': '100' });
      res.write('{"half":');
      setTimeout(() => req.socket.destroy(), 20);
    });
    await expect(get(base)).rejects.toThrow('aborted');
  });
});

describe('other origins', () => {
  it('are allowed by list', async () => {
    const preflight = (from: string) =>
      request(base)
        .options('/api/orders')
        .set({ Origin: from, 'Access-Control-Request-Method': 'POST' });
    const good = await preflight(origin);
    expect(good.headers['access-control-allow-origin']).toBe(origin);
    const evil = await preflight('http://evil.example');
    expect(evil.headers['access-control-allow-origin']).toBeUndefined();
    const reply = await request(base).get('/api/sales').set('Origin', origin);
    expect(reply.headers['access-control-expose-headers']).toMatch('Retry-After');
  });
});

describe('WebSockets', () => {
  const open = (path: string, headers: Record<string, string> = {}) => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}${path}`, { headers });
    return new Promise<WebSocket | number>((resolve, reject) => {
      socket.on('open', () => resolve(socket));
      socket.on('unexpected-response', (_req, res) => {
        resolve(res.statusCode ?? 0);
        socket.terminate();
      });
      socket.on('error', reject);
    });
  };

  it('reach the notifier cleaned, and talk both ways', async () => {
    const socket = await open(`/ws?token=${secret}`, { Origin: origin, 'X-User-Id': '1' });
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
    const echoed = new Promise((resolve) => {
      socket.once('message', (message: Buffer) => resolve(message.toString()));
    });
    socket.send('hello');
    expect(await echoed).toBe('echo hello');
    expect(upgrades.at(-1)?.url).toBe(`/ws?token=${secret}`);
    expect(upgrades.at(-1)?.headers).not.toHaveProperty('x-user-id');
    expect(upgrades.at(-1)?.headers['x-forwarded-for']).toBe('127.0.0.1');
    socket.terminate();
  });

  it.each([
    ['/ws', { Origin: 'http://evil.example' }, 403],
    ['/ws', { Origin: 'null' }, 403],
    ['/ws/', {}, 404],
    ['//ws', {}, 404],
    ['/WS', {}, 404],
    ['/api/orders', {}, 404],
    ['/internal/x', {}, 404],
  ])('to %s with %j are refused with %i', async (path, headers, status) => {
    expect(await open(path, headers as Record<string, string>)).toBe(status);
  });

  it('get 503 while the notifier is away', async () => {
    await withGateway(build('http://127.0.0.1:1'), async (url) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws?token=${secret}`);
      const status = await new Promise((resolve) => {
        socket.on('unexpected-response', (_req, res) => resolve(res.statusCode));
        socket.on('error', () => undefined);
      });
      expect(status).toBe(503);
      socket.terminate();
    });
  });

  it('end when the gateway stops', async () => {
    const other = build(service.url);
    await other.start();
    const socket = new WebSocket(`ws://127.0.0.1:${other.port()}/ws`);
    await new Promise((resolve) => socket.once('open', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const started = performance.now();
    await other.stop();
    await closed;
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('the log', () => {
  it('has a line per request, without queries and tokens', async () => {
    const token = newToken();
    await request(base)
      .get(`/api/users/me?token=${secret}`)
      .set('Authorization', `Bearer ${token}`);
    await eventually(() =>
      expect(logLines.map((line) => JSON.parse(line) as object)).toContainEqual(
        expect.objectContaining({ msg: 'request', path: '/api/users/me', status: 200 }),
      ),
    );
    expect(logLines.filter((line) => line.includes(secret) || line.includes(token))).toEqual([]);
    expect(logLines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});
