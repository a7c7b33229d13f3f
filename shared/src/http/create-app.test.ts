import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { z } from 'zod';
import { AppError, unavailable } from '../errors/index.ts';
import { createLogger } from '../log/index.ts';
import { createApp } from './create-app.ts';
import { maxBodyBytes, mountRoutes, route, type Access, type Route } from './route.ts';

const secret = 'the secret cause';
const userId = '65a000000000000000000001';
let written: string[] = [];

const answering = (path: string, access: Access, answer: () => unknown): Route =>
  route(
    { operationId: 'x', method: 'get', path, summary: 'x', access, replies: { 200: z.unknown() } },
    async () => ({
      status: 200,
      body: answer(),
    }),
  );
const throwing = (path: string, thrown: unknown) =>
  answering(path, 'public', () => {
    throw thrown;
  });

const cause = Object.assign(new Error(secret), { query: secret, status: 418, expose: true });
const app = createApp({
  service: 'test',
  version: '0',
  log: createLogger({ service: 'test', level: 'trace' }, { write: (line) => written.push(line) }),
  trustProxyHops: 0,
  verifyAccessToken: async () => ({
    userId,
    role: 'CUSTOMER',
    sessionId: 's',
    expiresAtMs: Infinity,
  }),
  routes: [
    answering('/mine', 'signed-in', () => ({ mine: true })),
    answering('/everybodys', 'public', () => ({ mine: false })),
    answering('/unwritable', 'public', () => ({ number: 1n })),
    throwing('/defect', cause),
    throwing('/defect/wrapped', new AppError('internal', { cause })),
    throwing('/defect/text', secret),
    throwing('/defect/object', { message: secret, stack: secret, status: 404 }),
    throwing('/away', unavailable('The shop is not reachable', cause)),
    throwing('/refused', new AppError('unauthenticated', { cause })),
    route(
      {
        operationId: 'x',
        method: 'post',
        path: '/echo',
        summary: 'x',
        access: 'signed-in',
        body: z.strictObject({ text: z.string().max(3) }),
        replies: { 200: z.object({}) },
      },
      async () => ({ status: 200, body: {} }),
    ),
    route(
      {
        operationId: 'x',
        method: 'post',
        path: '/bytes',
        summary: 'x',
        access: 'public',
        rawBody: true,
        replies: { 200: z.object({ base64: z.string(), isBuffer: z.boolean() }) },
      },
      async ({ body }) => ({
        status: 200,
        body: { base64: body.toString('base64'), isBuffer: Buffer.isBuffer(body) },
      }),
    ),
  ],
});
const get = (path: string) => request(app).get(path).set('Authorization', 'Bearer x');

describe('an error', () => {
  it.each(['/defect', '/defect/wrapped', '/defect/text', '/defect/object', '/unwritable'])(
    'at %s says nothing of its cause; the log does',
    async (path) => {
      written = [];
      const { status, body, headers } = await get(path);
      expect(status).toBe(500);
      expect(body).toEqual({
        type: '/errors/internal',
        title: 'Internal error',
        status: 500,
        detail: 'Internal error',
        instance: path,
        code: 'internal',
        requestId: headers['x-request-id'],
      });
      expect(JSON.parse(written[0] ?? '')).toMatchObject({ level: 'error', msg: 'request failed' });
    },
  );

  it.each(['/away', '/refused', '/%', '/nowhere', '/nowhere?secret', '/defect'])(
    'at %s shows no stack, no file and no cause',
    async (path) => {
      const { text, headers } = await get(path);
      expect(text).not.toMatch(/secret|\n|    at |\.ts|node_modules|file:/);
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['content-type']).toMatch('application/problem+json');
    },
  );

  it('about a body repeats nothing of what was in it', async () => {
    const send = (text: string) =>
      request(app).post('/echo').auth('x', { type: 'bearer' }).type('application/json').send(text);
    for (const body of [`{"text":"${secret}"}`, `{"text":"${secret}`, `"${secret}"`]) {
      const { status, text } = await send(body);
      expect(status).toBe(400);
      expect(text).not.toContain(secret);
    }
  });
});

describe('a raw body', () => {
  const post = (body: Buffer, type = 'application/json') =>
    request(app)
      .post('/bytes')
      .set('Content-Type', type)
      .serialize((sent: unknown) => sent as string)
      .send(body);
  const codeOf = ({ status, body }: request.Response) => [
    status,
    (body as { code?: unknown }).code,
  ];

  it.each([
    ['JSON with spaces of its own', Buffer.from('{ "a" : 1 }\r\n'), 'application/json'],
    ['what is no JSON', Buffer.from('{"a"'), 'application/json'],
    ['what is no UTF-8', Buffer.from([0xff, 0x00, 0xc3]), 'application/json'],
    ['another media type', Buffer.from('a=1&b=2'), 'application/x-www-form-urlencoded'],
    ['another charset', Buffer.from('{}', 'utf16le'), 'application/json; charset=utf-16'],
    ['as much as is allowed', Buffer.alloc(maxBodyBytes, 'x'), 'text/plain'],
    ['nothing', Buffer.alloc(0), 'application/json'],
  ])('is handed over byte for byte: %s', async (_name, sent, type) => {
    const { status, body } = await post(sent, type);
    expect([status, body]).toEqual([200, { base64: sent.toString('base64'), isBuffer: true }]);
  });

  it('is there, empty, when the request has none', async () => {
    const { body } = await request(app).post('/bytes');
    expect(body).toEqual({ base64: '', isBuffer: true });
  });

  it('that is too large is refused', async () => {
    expect(codeOf(await post(Buffer.alloc(maxBodyBytes + 1)))).toEqual([413, 'payload-too-large']);
  });

  /** Status of the answer to a request that `send` sends, or only begins. */
  const statusOf = async (
    headers: Record<string, string>,
    send: (request: ClientRequest) => void,
  ) => {
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sent = httpRequest({ port, host: '127.0.0.1', path: '/bytes', method: 'POST', headers });
    try {
      send(sent);
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      return answer.statusCode;
    } finally {
      sent.on('error', () => undefined).destroy();
      server.close();
    }
  };

  it('that will be too large is refused before a byte of it is there', async () => {
    const headers = { 'Content-Length': String(maxBodyBytes + 1) };
    expect(await statusOf(headers, (begun) => begun.flushHeaders())).toBe(413);
  });

  it('of unsaid length is refused when it is too large', async () => {
    const headers = { 'Transfer-Encoding': 'chunked' };
    const large = Buffer.alloc(maxBodyBytes + 1);
    expect(await statusOf(headers, (whole) => whole.end(large))).toBe(413);
  });

  it('is not unpacked: a small one could become a large one', async () => {
    const packed = await post(gzipSync('{}')).set('Content-Encoding', 'gzip');
    expect(codeOf(packed)).toEqual([415, 'unsupported-media-type']);
  });

  it('has no schema beside it, and no stored answers', () => {
    const spec = { operationId: 'x', method: 'post', path: '/x', summary: 'x' } as const;
    const reply = async () => ({ status: 204 }) as const;
    const both = route(
      { ...spec, access: 'public', rawBody: true, body: z.object({}), replies: { 204: undefined } },
      reply,
    );
    const stored = route(
      {
        ...{ ...spec, access: 'signed-in', rawBody: true, idempotent: 'stored' },
        replies: { 204: undefined },
      } as const,
      reply,
    );
    const deps = {
      verify: () => Promise.reject(new Error('not asked')),
      answerOnce: () => Promise.reject(new Error('not asked')),
    };
    for (const one of [both, stored])
      expect(() => mountRoutes(express(), [one], deps)).toThrow('without a schema');
  });
});

describe('an answer', () => {
  it('does not say what it was made with', async () => {
    for (const path of ['/mine', '/everybodys', '/defect', '/nowhere', '/health']) {
      const { headers } = await get(path);
      expect([headers['x-powered-by'], headers.server, headers.etag]).toEqual(
        Array(3).fill(undefined),
      );
    }
  });

  it('to somebody who is signed in is kept by no cache', async () => {
    const { body, headers } = await get('/mine');
    expect([body, headers['cache-control']]).toEqual([{ mine: true }, 'no-store']);
    expect((await get('/everybodys')).headers['cache-control']).toBeUndefined();
  });

  it.each([
    '/metrics',
    '/livez',
    '/readyz',
    '/startupz',
    '/internal',
    '/internal/admins',
    '/debug',
  ])('there is none at %s: it belongs on the admin port', async (path) => {
    expect((await get(path)).status).toBe(404);
  });
});

describe('a request id', () => {
  it('that is short and clean is taken over', async () => {
    const { headers } = await get('/mine').set('X-Request-Id', 'a-B_9.z');
    expect(headers['x-request-id']).toBe('a-B_9.z');
  });

  it.each(['x'.repeat(65), 'a b', '{"level":"error"}', 'a\tb', '\u00e9', '<b>', '../x', '%0a'])(
    '%j is replaced, in the answer and in the log',
    async (given) => {
      written = [];
      const { headers, body } = await get('/defect').set('X-Request-Id', given);
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      expect((body as { requestId: unknown }).requestId).toBe(headers['x-request-id']);
      expect(written).toHaveLength(1);
      expect((JSON.parse(written[0] ?? '') as { requestId: unknown }).requestId).toBe(
        headers['x-request-id'],
      );
    },
  );
});
