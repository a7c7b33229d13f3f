import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import type { Gateway } from '../src/service.ts';
import {
  buildGateway,
  openRaw,
  readMetric,
  startFakeService,
  withGateway,
  type FakeService,
  type RawClient,
} from './gateway-fixture.ts';

const namespace = testNamespace('slow');
const whole = 'GET /api/sales HTTP/1.1\r\nHost: shop\r\n\r\n';
/** Each more than the 256 requests that may be with one service at the same time. */
const crowd = 300;
let service: FakeService;

beforeAll(async () => {
  service = await startFakeService();
});
afterAll(() => service.stop());
beforeEach(() => service.reset());

const build = (env: Record<string, string> = {}): Gateway =>
  buildGateway({ namespace, serviceUrl: service.url, env });

function openMany(count: number, port: number, text: string): RawClient[] {
  return Array.from({ length: count }, () => openRaw(port, text));
}

/** Sends one byte to each from time to time, as long as it takes. */
function dribble(clients: readonly RawClient[]): () => void {
  const timer = setInterval(() => {
    for (const { socket } of clients) if (socket.writable) socket.write('x');
  }, 500);
  return () => clearInterval(timer);
}

describe('clients that send slowly or nothing', () => {
  it('are closed, while others are served', async () => {
    // Who holds 1,200 sockets in one process may be slow to answer on a busy machine.
    const settings = { namespace, serviceUrl: service.url, upstreamTimeoutMs: 10_000 };
    const gateway = buildGateway(settings);
    await withGateway(gateway, async (base) => {
      const port = gateway.port();
      const silent = openMany(crowd, port, '');
      const heads = openMany(crowd, port, 'GET /api/sales HTTP/1.1\r\nX-Slow: ');
      const bodies = openMany(
        crowd,
        port,
        'POST /api/auth/login HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\n{',
      );
      const chunks = openMany(
        crowd,
        port,
        'POST /api/auth/login HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{',
      );
      const all = [...silent, ...heads, ...bodies, ...chunks];
      const stop = dribble([...heads, ...bodies, ...chunks]);
      // A head has half the time of a whole request.
      const order: string[] = [];
      void Promise.all([...silent, ...heads].map(({ closed }) => closed)).then(() =>
        order.push('all heads'),
      );
      void Promise.race([...bodies, ...chunks].map(({ closed }) => closed)).then(() =>
        order.push('first body'),
      );
      let isOver = false;
      const over = Promise.all(all.map(({ closed }) => closed)).finally(() => (isOver = true));

      let served = 0;
      while (!isOver) {
        await request(base).get('/api/sales').expect(200);
        await request(base).post('/api/auth/login').send({}).expect(200);
        served += 2;
        await new Promise((done) => setTimeout(done, 100));
      }
      const answers = await over;
      stop();

      expect(order).toEqual(['all heads', 'first body']);
      const statuses = new Set(answers.map((text) => text.split('\r\n', 1)[0]));
      expect([...statuses]).toEqual([expect.stringMatching(/^HTTP\/1\.1 408 /)]);
      // Nothing of them went further, and no service looks silent for it.
      expect(service.seen).toHaveLength(served);
      expect(await readMetric(gateway, 'quicksale_upstream_breaker_open{upstream="auth"}')).toBe(0);
    });
  }, 90_000);

  it('are closed by a service as well', async () => {
    // The admin port is a server like those of the services.
    const gateway = build();
    await withGateway(gateway, async () => {
      const silent = openRaw(gateway.adminPort(), '');
      const slow = openRaw(gateway.adminPort(), 'GET /livez HTTP/1.1\r\nX-Slow: ');
      const stop = dribble([slow]);
      const answers = await Promise.all([silent.closed, slow.closed]);
      stop();
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    });
  }, 20_000);
});

describe('clients that do not read', () => {
  it.each([
    ['an answer', '/api/merchant/orders.csv'],
    ['a stream', `/api/orders/${'a'.repeat(24)}/events`],
  ])('%s are closed, and little is kept for them', async (_name, path) => {
    const piece = 'x'.repeat(64 * 1024);
    let written = 0;
    let closed = 0;
    service.answerWith((req, res) => {
      if (req.url !== path) return void res.end('{}');
      const fill = () => {
        while (!res.destroyed && res.write(piece)) written += piece.length;
      };
      res.on('drain', fill).on('close', () => (closed += 1));
      fill();
    });
    const gateway = build();
    await withGateway(gateway, async (base) => {
      const client = openRaw(gateway.port(), `GET ${path} HTTP/1.1\r\nHost: shop\r\n\r\n`);
      client.socket.pause();
      await eventually(() => expect(service.seen).toHaveLength(1));
      await request(base).get('/api/sales').expect(200);
      await eventually(() => expect(closed).toBe(1));
      expect(written).toBeLessThan(64 * 1024 * 1024);
      client.socket.resume();
      await client.closed;
    });
  });
});

describe('too many connections', () => {
  /** Resolves to the beginning of the answer, or to '' when the connection is closed without one. */
  async function ask(gateway: Gateway, from: string): Promise<string> {
    const { socket, closed, received } = openRaw(gateway.port(), whole, from);
    const answered = new Promise<void>((done) => socket.once('data', () => done()));
    await Promise.race([answered, closed]);
    const answer = received();
    socket.destroy();
    return answer.slice(0, 12);
  }

  async function keepOpen(gateway: Gateway, count: number, from: string): Promise<RawClient[]> {
    const clients = Array.from({ length: count }, () => openRaw(gateway.port(), whole, from));
    await eventually(() => {
      for (const client of clients) expect(client.received()).toMatch(/^HTTP\/1\.1 200 /);
    });
    return clients;
  }

  const refused = (gateway: Gateway, limit: string) =>
    readMetric(gateway, `quicksale_connections_refused_total{limit="${limit}"}`);

  it('of one address are closed at once, and nobody else pays for it', async () => {
    const gateway = build({ GATEWAY_MAX_CONNECTIONS_PER_ADDRESS: '3' });
    await withGateway(gateway, async () => {
      const [first] = await keepOpen(gateway, 3, '127.0.0.1');
      expect(await ask(gateway, '127.0.0.1')).toBe('');
      expect(await ask(gateway, '127.0.0.1')).toBe('');
      expect(await ask(gateway, '127.0.0.2')).toBe('HTTP/1.1 200');
      expect(await refused(gateway, 'address')).toBe(2);
      first?.socket.destroy();
      await eventually(async () => expect(await ask(gateway, '127.0.0.1')).toBe('HTTP/1.1 200'));
    });
  });

  it('of all together are closed at once', async () => {
    const gateway = build({ GATEWAY_MAX_CONNECTIONS: '4' });
    await withGateway(gateway, async () => {
      const clients = [
        ...(await keepOpen(gateway, 2, '127.0.0.1')),
        ...(await keepOpen(gateway, 2, '127.0.0.2')),
      ];
      expect(await ask(gateway, '127.0.0.3')).toBe('');
      expect(await refused(gateway, 'total')).toBe(1);
      for (const { socket } of clients) socket.destroy();
      await eventually(async () => expect(await ask(gateway, '127.0.0.3')).toBe('HTTP/1.1 200'));
    });
  });

  it('from a trusted proxy are its own business', async () => {
    const gateway = build({
      GATEWAY_MAX_CONNECTIONS_PER_ADDRESS: '3',
      GATEWAY_TRUST_PROXY_HOPS: '1',
    });
    await withGateway(gateway, async () => {
      expect(await keepOpen(gateway, 5, '127.0.0.1')).toHaveLength(5);
    });
  });
});
