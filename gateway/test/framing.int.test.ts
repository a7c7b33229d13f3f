import { createServer, type Server } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { closeServer, createHttpServer, listen } from '@quicksale/shared/http';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import type { Gateway } from '../src/service.ts';
import {
  buildGateway,
  openRaw,
  readMetric,
  sendRaw as sendRawTo,
  startFakeService,
  withGateway,
  type FakeService,
} from './gateway-fixture.ts';

const namespace = testNamespace('framing');
let service: FakeService;
let gateway: Gateway;

beforeAll(async () => {
  service = await startFakeService();
  gateway = buildGateway({ namespace, serviceUrl: service.url });
  await gateway.start();
});
afterAll(async () => {
  await gateway.stop();
  await service.stop();
});
beforeEach(() => service.reset());

const sendRaw = (text: string) => sendRawTo(gateway.port(), text);
const head = (...lines: string[]) => `${['Host: shop', ...lines].join('\r\n')}\r\n\r\n`;
const post = (...lines: string[]) => `POST /api/auth/login HTTP/1.1\r\n${head(...lines)}`;
const get = (...lines: string[]) => `GET /api/sales HTTP/1.1\r\n${head(...lines)}`;
const chunked = 'Transfer-Encoding: chunked';
const smuggled = 'GET /api/merchant/orders HTTP/1.1\r\nHost: shop\r\nX-User-Role: ADMIN\r\n\r\n';

describe('a message whose end two readers could see in two places', () => {
  it.each([
    ['both lengths', `${post('Content-Length: 4', chunked)}0\r\n\r\n`],
    ['both lengths, the other way round', `${post(chunked, 'Content-Length: 4')}0\r\n\r\n`],
    ['two lengths', `${post('Content-Length: 1', 'Content-Length: 2')}ab`],
    ['the same length twice', `${post('Content-Length: 2', 'Content-Length: 2')}{}`],
    ['a list of lengths', `${post('Content-Length: 2, 2')}{}`],
    ['a signed length', `${post('Content-Length: +2')}{}`],
    ['a negative length', `${post('Content-Length: -2')}{}`],
    ['a length in hexadecimal', `${post('Content-Length: 0x2')}{}`],
    ['a space before the colon', `${post('Transfer-Encoding : chunked')}0\r\n\r\n`],
    ['an unknown encoding', `${post('Transfer-Encoding: xchunked')}0\r\n\r\n`],
    ['chunked twice', `${post('Transfer-Encoding: chunked, chunked')}0\r\n\r\n`],
    ['chunked, but not last', `${post('Transfer-Encoding: chunked, gzip')}0\r\n\r\n`],
    ['a folded line', get('X-A: b\r\n Transfer-Encoding: chunked')],
    ['a folded first line', 'GET /api/sales HTTP/1.1\r\n Host: shop\r\n\r\n'],
    ['lines that end in a bare LF', get('X-A: b').replaceAll('\r\n', '\n')],
    ['one bare LF', get('X-A: b\nX-B: c')],
    ['a bare CR', get('X-A: b\rX-B: c')],
    ['a NUL', get('X-A: b\0c')],
    ['chunks that end in a bare LF', `${post(chunked)}2\n{}\n0\n\n`],
    ['a chunk longer than it says', `${post(chunked)}2\r\n{}XX0\r\n\r\n`],
    ['a chunk size with 0x', `${post(chunked)}0x2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk size beyond 64 bits', `${post(chunked)}10000000000000002\r\n{}\r\n0\r\n\r\n`],
    ['a header without a name', get(': b')],
    ['no Host', 'GET /api/sales HTTP/1.1\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['another version', 'GET /api/sales HTTP/1.2\r\nHost: shop\r\n\r\n'],
  ])('%s: 400, and no service sees it', async (_name, text) => {
    expect(await sendRaw(`${text}${smuggled}`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(service.seen).toEqual([]);
  });

  it('chunk extensions: a few bytes are skipped, 16 KiB of them are 413', async () => {
    const few = `${post(chunked, 'Connection: close')}2;a=b\r\n{}\r\n0\r\n\r\n`;
    expect(await sendRaw(few)).toMatch(/^HTTP\/1\.1 200 /);
    expect(service.seen.map(({ body }) => body)).toEqual(['{}']);
    const many = `${post(chunked)}2;${'x'.repeat(17_000)}\r\n{}\r\n0\r\n\r\n`;
    expect(await sendRaw(many)).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"payload-too-large"/);
    expect(service.seen).toHaveLength(1);
  });

  it.each([
    ['with a length', `${get(`Content-Length: ${smuggled.length}`)}${smuggled}`],
    ['in chunks', `${get(chunked)}${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`],
  ])('a request in the body of a GET %s stays a body', async (_name, text) => {
    await sendRaw(text + get('Connection: close'));
    expect(service.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['GET', '/api/sales', smuggled],
      ['GET', '/api/sales', ''],
    ]);
  });

  it('trailers do not become headers', async () => {
    await sendRaw(
      `${post(chunked, 'Trailer: X-User-Id', 'Connection: close')}2\r\n{}\r\n0\r\nX-User-Id: 1\r\n\r\n`,
    );
    expect(service.seen).toHaveLength(1);
    expect(service.seen[0]?.headers).not.toHaveProperty('x-user-id');
  });

  it('pipelined requests each go their way, each cleaned', async () => {
    await sendRaw(get('X-User-Id: 1') + get('X_User_Id: 1') + get('Connection: close'));
    expect(service.seen).toHaveLength(3);
    for (const { headers } of service.seen)
      expect(Object.keys(headers).filter((name) => name.includes('user'))).toEqual([]);
  });
});

describe('heads', () => {
  it('of too many fields are 431: what was left out might say where the body ends', async () => {
    const filler = Array.from({ length: 64 }, (_, index) => `X-${index}: 1`);
    const text = `${get(...filler, `Content-Length: ${smuggled.length}`)}${smuggled}`;
    expect(await sendRaw(text)).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"headers-too-large"/);
    expect(service.seen).toEqual([]);
    await sendRaw(get(...filler.slice(0, 60), 'Connection: close'));
    expect(service.seen[0]?.headers).toHaveProperty('x-59', '1');
  });

  it('of more than 8 KiB are 431', async () => {
    const reply = await sendRaw(get(`X-A: ${'x'.repeat(8 * 1024)}`));
    expect(reply).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"headers-too-large"/);
    expect(await sendRaw(`GET /${'x'.repeat(9_000)} HTTP/1.1\r\n${head()}`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    expect(service.seen).toEqual([]);
  });

  it('that pass the gateway pass a service, with all that the gateway adds', async () => {
    let refused = 0;
    const server = createHttpServer((_req, res) => res.end('{}'));
    server.prependListener('clientError', () => (refused += 1));
    const serviceUrl = `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}`;
    const other = buildGateway({ namespace, serviceUrl });
    const fields = Array.from({ length: 61 }, (_, index) => `X-${index}: 1`);
    try {
      await withGateway(other, async () => {
        const statuses: (string | undefined)[] = [];
        for (let length = 7_000; length < 9_200; length += 40) {
          const text = get(...fields, `X-Long: ${'x'.repeat(length - 650)}`, 'Connection: close');
          statuses.push((await sendRawTo(other.port(), text)).slice(9, 12));
        }
        expect(new Set(statuses)).toEqual(new Set(['200', '431']));
        expect(refused).toBe(0);
      });
    } finally {
      await closeServer(server, 0);
    }
  });
});

describe('Connection', () => {
  it.each([
    'X-Request-Id, X-Forwarded-For, Host',
    'close, Authorization, Idempotency-Key, Content-Length',
    'Transfer-Encoding',
    'X-User-Id, keep-alive',
  ])('naming %s takes no header from a service', async (value) => {
    await sendRaw(
      `${post(
        `Connection: ${value}`,
        'Connection: close',
        'Authorization: Bearer t',
        'Idempotency-Key: k',
        'X-User-Id: 1',
        'Content-Length: 2',
      )}{}`,
    );
    expect(service.seen).toHaveLength(1);
    expect(service.seen[0]).toMatchObject({
      body: '{}',
      headers: {
        authorization: 'Bearer t',
        'idempotency-key': 'k',
        'content-length': '2',
        'x-forwarded-for': '127.0.0.1',
        'x-request-id': expect.any(String),
        host: service.url.slice('http://'.length),
      },
    });
    expect(service.seen[0]?.headers).not.toHaveProperty('x-user-id');
  });

  it.each([
    ['X-User-Id', 'x-user-id'],
    ['x-USER-role', 'x-user-role'],
    ['X_User_Id', 'x_user_id'],
    ['X-User_Id', 'x-user_id'],
    ['x-user', 'x-user'],
    ['X-Internal-Key', 'x-internal-key'],
    ['X_INTERNAL_ANYTHING', 'x_internal_anything'],
    ['X-Forwarded-Host', 'x-forwarded-host'],
    ['X_Forwarded_For', 'x_forwarded_for'],
    ['X-Real-IP', 'x-real-ip'],
    ['Forwarded', 'forwarded'],
  ])('%s, sent twice and named there, reaches no service', async (sent, name) => {
    await sendRaw(get(`${sent}: 1`, `Connection: close, ${sent}`, `${sent.toLowerCase()}: 2`));
    expect(service.seen).toHaveLength(1);
    expect(service.seen[0]?.headers).not.toHaveProperty(name);
  });
});

describe('Host', () => {
  it.each([
    'order-service',
    'localhost:9003',
    '127.0.0.1:9001@shop',
    'shop/internal',
    'shop, evil.example',
    'shop\r\nHost: evil.example',
    '[::1]:9000',
  ])('%j leads where every other leads', async (host) => {
    await sendRaw(`GET /api/sales HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    const target = service.url.slice('http://'.length);
    expect(service.seen.map(({ url, headers }) => [url, headers.host])).toEqual([
      ['/api/sales', target],
    ]);
  });
});

describe('addresses', () => {
  it.each([
    '/internal/admins',
    '/api/../internal/admins',
    '/api/orders/..;/internal/admins',
    '/api/orders/%252e%252e/internal',
    '/api/orders/%c0%ae%c0%ae/internal',
    '/api/orders/..%5c..%5cinternal',
    '/api/orders\\..\\internal',
    '/api/orders;/internal',
    '/api/orders%00',
    '/%69nternal/admins',
    '/INTERNAL/admins',
    '/api/orders/./',
    '/api/orders/',
    'http://127.0.0.1:9001/internal/admins',
    'https://shop/api/orders',
    '//127.0.0.1:9001/internal/admins',
    '*',
  ])('%s is nowhere', async (target) => {
    const reply = await sendRaw(`GET ${target} HTTP/1.1\r\n${head('Connection: close')}`);
    expect(reply).toMatch(/^HTTP\/1\.1 404 [\s\S]*"code":"not-found"/);
    expect(service.seen).toEqual([]);
  });

  it.each(['CONNECT 127.0.0.1:9001', 'CONNECT shop:443'])('%s is closed', async (line) => {
    expect(await sendRaw(`${line} HTTP/1.1\r\n${head()}`)).not.toMatch(/^HTTP\/1\.1 2/);
    expect(service.seen).toEqual([]);
  });

  it.each(['TRACE', 'PURGE', 'PROPFIND'])('%s says nothing of what was sent', async (method) => {
    service.answerWith((_req, res) => res.writeHead(404).end());
    const reply = await sendRaw(
      `${method} /api/sales HTTP/1.1\r\n${head('X-Mine: secret', 'Connection: close')}`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 404 /);
    expect(reply).not.toContain('secret');
  });
});

describe('a WebSocket handshake', () => {
  const handshake = (...lines: string[]) =>
    `GET /ws HTTP/1.1\r\n${head(
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ...lines,
    )}`;

  /** A notifier that notes every byte and does not upgrade. */
  async function withRefusingNotifier(use: (port: number, bytes: () => string) => Promise<void>) {
    let bytes = '';
    const open = new Set<Socket>();
    const server: Server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        bytes += chunk.toString();
        socket.write('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno');
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const serviceUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const other = buildGateway({ namespace, serviceUrl });
    try {
      await withGateway(other, () => use(other.port(), () => bytes));
    } finally {
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
    }
  }

  it('that is answered with anything but 101 opens no tunnel', async () => {
    await withRefusingNotifier(async (port, bytes) => {
      const reply = await sendRawTo(port, handshake('Sec-WebSocket-Version: 777') + smuggled);
      expect(reply).toMatch(/^HTTP\/1\.1 426 /);
      expect(bytes()).toMatch(/^GET \/ws /);
      expect(bytes()).not.toContain('/api/merchant');
    });
  });

  it.each([`Content-Length: ${smuggled.length}`, chunked])(
    'with %s is refused: it has no body',
    async (line) => {
      await withRefusingNotifier(async (port, bytes) => {
        expect(await sendRawTo(port, handshake(line) + smuggled)).toMatch(/^HTTP\/1\.1 400 /);
        expect(bytes()).toBe('');
      });
    },
  );

  it('whose client never closes is closed after its refusal', async () => {
    const client = openRaw(gateway.port(), handshake('Origin: http://evil.example'));
    expect(await client.closed).toMatch(/^HTTP\/1\.1 403 /);
  });
});

it('framing never made a breaker open', async () => {
  await eventually(async () => {
    for (const upstream of ['auth', 'inventory', 'order', 'notifier'])
      expect(
        await readMetric(gateway, `quicksale_upstream_breaker_open{upstream="${upstream}"}`),
      ).toBe(0);
  });
});
