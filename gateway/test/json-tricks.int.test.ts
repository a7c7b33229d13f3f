import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { config as authConfig } from '@quicksale/auth-service/config';
import { buildService as buildAuthService } from '@quicksale/auth-service/service';
import { loadConfig } from '@quicksale/shared/config';
import { createLogger } from '@quicksale/shared/log';
import { testNamespace } from '@quicksale/shared/testing';
import type { Gateway } from '../src/service.ts';
import { buildGateway, sendRaw } from './gateway-fixture.ts';

/** auth-service as it is, behind a gateway as it is. */
const namespace = testNamespace('json');
const folder = mkdtempSync(join(tmpdir(), 'quicksale-json-'));
const errors: string[] = [];
const log = createLogger(
  { service: 'test', level: 'error' },
  { write: (line) => void errors.push(line) },
);
let service: ReturnType<typeof buildAuthService>;
let gateway: Gateway;
let base: string;

beforeAll(async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const config = loadConfig(authConfig, {
    MONGO_URL: process.env.MONGO_URL,
    REDIS_URL: process.env.REDIS_URL,
    NAMESPACE: namespace,
    INTERNAL_KEY: 'internal-key-of-the-test',
    JWT_PRIVATE_KEY_FILE: join(folder, 'key.pem'),
    AUTH_SERVICE_PORT: '0',
    AUTH_SERVICE_ADMIN_PORT: '0',
  });
  service = buildAuthService(config, log);
  await service.start();
  gateway = buildGateway({
    namespace,
    serviceUrl: `http://127.0.0.1:${service.port()}`,
    env: { RATE_LIMIT_REGISTER: '100000/60' },
    log,
    upstreamTimeoutMs: 10_000,
  });
  await gateway.start();
  base = `http://127.0.0.1:${gateway.port()}`;
}, 60_000);
afterAll(async () => {
  await gateway.stop();
  await service.stop();
  rmSync(folder, { recursive: true });
});

let people = 0;
const account = (more: object = {}) => ({
  email: `somebody${(people += 1)}@example.com`,
  password: 'correct horse',
  firstName: 'Some',
  lastName: 'Body',
  ...more,
});
/** An account as text, with more text at the end of the object. */
const accountAnd = (more: string) => JSON.stringify(account()).replace(/}$/, `,${more}}`);

async function register(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
) {
  const reply = await fetch(`${base}/api/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
}

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

it('an ordinary account is made: what follows is refused for what it is', async () => {
  expect((await register(JSON.stringify(account()))).status).toBe(201);
  const spelled = { 'content-type': 'Application/JSON;charset="UTF-8"' };
  expect((await register(JSON.stringify(account()), spelled)).status).toBe(201);
});

describe('keys that are there twice', () => {
  it('are one, the last: there is one reader, and it judges what it uses', async () => {
    const harmless = await register(accountAnd('"role":"ADMIN","role":"CUSTOMER"'));
    expect([harmless.status, harmless.body.user]).toEqual([
      201,
      expect.objectContaining({ role: 'CUSTOMER' }),
    ]);
    const harmful = await register(accountAnd('"role":"CUSTOMER","role":"ADMIN"'));
    expect([harmful.status, harmful.body.code]).toEqual([400, 'validation-failed']);
  });
});

describe('deep and odd JSON', () => {
  it.each([
    ['8,000 levels', nested(8_000), 'validation-failed'],
    ['8,000 levels in a field', `{"email":${nested(8_000)}}`, 'validation-failed'],
    ['8,000 levels in an unknown field', accountAnd(`"x":${nested(7_900)}`), 'validation-failed'],
    ['2,700 objects in each other', '{"a":'.repeat(2_700) + '1' + '}'.repeat(2_700), undefined],
    ['16,000 levels without an end', '['.repeat(16_000), 'malformed-json'],
    ['no object', '"text"', 'malformed-json'],
    ['null', 'null', 'malformed-json'],
    ['an array', '[]', 'validation-failed'],
    ['two values', '{}{}', 'malformed-json'],
    ['a comment', '{/**/}', 'malformed-json'],
    ['a trailing comma', '{"email":"a@b.example",}', 'malformed-json'],
    ['NaN', '{"email":NaN}', 'malformed-json'],
    ['nothing', '', 'validation-failed'],
    ['a NUL at the end', '{}\0', 'malformed-json'],
  ])('%s: 400', async (_name, text, code) => {
    const reply = await register(text);
    expect(reply).toMatchObject({ status: 400, body: { code: code ?? 'validation-failed' } });
  });
});

describe('keys that reach for prototypes', () => {
  it.each([
    '"__proto__":{"polluted":1,"role":"ADMIN"}',
    '"\\u005f_proto__":{"polluted":1}',
    '"constructor":{"prototype":{"polluted":1}}',
    '"prototype":{"polluted":1}',
    '"__proto__":null',
    '"toString":"x"',
  ])('%s: 400, named, and nothing has changed', async (more) => {
    const reply = await register(accountAnd(more));
    expect(reply).toMatchObject({
      status: 400,
      body: { code: 'validation-failed', errors: [{ message: 'unknown field' }] },
    });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(({} as Record<string, unknown>).role).toBeUndefined();
  });
});

describe('bodies in other clothes', () => {
  const zeros = Buffer.alloc(8 * 1024 * 1024, ' ');

  it.each([
    ['gzip', gzipSync(zeros)],
    ['gzip', gzipSync('{}')],
    ['x-gzip', gzipSync('{}')],
    ['deflate', deflateSync(zeros)],
    ['br', brotliCompressSync(zeros)],
    ['identity, gzip', gzipSync('{}')],
    ['zstd', Buffer.from('{}')],
  ])('Content-Encoding %s: 415, and nothing is unpacked', async (encoding, bytes) => {
    expect(bytes.length).toBeLessThan(16 * 1024);
    const reply = await register(bytes, { 'content-encoding': encoding });
    expect(reply).toMatchObject({ status: 415, body: { code: 'unsupported-media-type' } });
  });

  it('Transfer-Encoding gzip is not unpacked either', async () => {
    const bytes = gzipSync('{}').toString('latin1');
    const reply = await sendRaw(
      gateway.port(),
      'POST /api/auth/register HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n' +
        `Connection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${bytes.length.toString(16)}\r\n` +
        `${bytes}\r\n0\r\n\r\n`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"malformed-json"/);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/xml, application/json',
    'application/jsonp',
    'json',
    'application/json; charset=utf-16',
    'application/json; charset=utf-16le',
    'application/json; charset=utf-16be',
    'application/json; charset=utf-7',
    'application/json; charset=utf-32',
    'application/json; charset=latin1',
    'application/json; charset=utf-8; charset=utf-16le',
    'application/json; charset=utf-16le; charset=utf-8',
    'application/json; x=";charset=utf-8"; charset="utf-7"',
  ])('Content-Type %s: 415', async (type) => {
    const text = JSON.stringify(account());
    for (const bytes of [Buffer.from(text), Buffer.from(text, 'utf16le')])
      expect(await register(bytes, { 'content-type': type })).toMatchObject({
        status: 415,
        body: { code: 'unsupported-media-type' },
      });
  });

  it('UTF-16 under the name of UTF-8 is no JSON', async () => {
    const reply = await register(Buffer.from(JSON.stringify(account()), 'utf16le'));
    expect(reply).toMatchObject({ status: 400, body: { code: 'malformed-json' } });
  });

  it('a byte order mark changes nothing', async () => {
    const marked = await register(`\ufeff${accountAnd('"role":"CUSTOMER"')}`);
    expect(marked.status).toBe(201);
    expect((await register(`\ufeff${accountAnd('"role":"ADMIN"')}`)).status).toBe(400);
  });

  it('bytes that are no UTF-8 and halves of characters break nothing', async () => {
    const bytes = Buffer.from(JSON.stringify(account({ firstName: 'A\u00ffB' })), 'latin1');
    expect((await register(bytes)).status).toBe(201);
    expect((await register(JSON.stringify(account({ lastName: '\ud800' })))).status).toBe(201);
  });
});

it('none of it was a defect', () => {
  expect(errors).toEqual([]);
});
