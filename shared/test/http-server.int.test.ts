import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeServer, createHttpServer, listen } from '../src/http/index.ts';

describe('the HTTP server', () => {
  let port: number;
  let server: ReturnType<typeof createHttpServer>;
  beforeEach(async () => {
    server = createHttpServer((_req, res) => res.end('answered'));
    server.on('upgrade', (_req, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    port = await listen(server, 0, '127.0.0.1');
  });
  afterEach(() => closeServer(server, 0));

  /** Sends bytes and resolves to everything that comes back until the server closes. */
  const exchange = (request: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let reply = '';
      socket.on('data', (bytes) => (reply += bytes.toString()));
      socket.on('close', () => resolve(reply));
      socket.on('error', reject);
      socket.write(request);
    });

  it('answers a request that offers HTTP/2 as if it did not', async () => {
    const reply = await exchange(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n',
    );
    expect(reply).toMatch(/^HTTP\/1\.1 200 [\s\S]*answered/);
  });

  it('lets WebSockets be upgraded', async () => {
    const reply = await exchange(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n',
    );
    expect(reply).toMatch(/^HTTP\/1\.1 101 /);
  });

  it('tells who is too slow that nothing has happened', async () => {
    const reply = await exchange('POST /api/orders HTTP/1.1\r\nHost: x\r\n');
    expect(reply).toMatch(/^HTTP\/1\.1 408 [\s\S]*Retry-After: 1[\s\S]*"code":"request-timeout"/);
  }, 15_000);

  it('answers what is not HTTP with a problem', async () => {
    const reply = await exchange('hello\r\n\r\n');
    expect(reply).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"malformed-request"/);
  });
});
