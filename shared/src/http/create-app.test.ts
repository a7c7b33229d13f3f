import { describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { z } from 'zod';
import { AppError, unavailable } from '../errors/index.ts';
import { createLogger } from '../log/index.ts';
import { createApp } from './create-app.ts';
import { route, type Access, type Route } from './route.ts';

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
