import { describe, expect, it } from '@jest/globals';
import { createLogger, withContext, type Logger } from './index.ts';

/** What comes out of the process, byte for byte. */
function write(work: (log: Logger) => void): string {
  let output = '';
  const log = createLogger(
    { service: 'test', level: 'trace' },
    { write: (text) => (output += text) },
  );
  work(log);
  return output;
}
const parse = (output: string) =>
  output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a log line', () => {
  const forged = 'x\r\n{"level":"error","msg":"forged"}\n\u2028\u0000\u001b[2J';

  it('is one line whatever stands in it', () => {
    const output = write((log) => {
      withContext({ requestId: forged, userId: forged }, () => {
        log.info({ [forged]: forged, err: new Error(forged) }, forged);
        log.warn(new Error(forged), forged);
      });
    });
    expect(parse(output)).toMatchObject([
      { level: 'info', msg: forged, requestId: forged },
      { level: 'warn', msg: forged },
    ]);
    expect(output).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  it.each([
    'password',
    'passwordHash',
    'email',
    'token',
    'accessToken',
    'refreshToken',
    'authorization',
    'cookie',
    'set-cookie',
    'idempotency-key',
    'idempotencyKey',
    'x-internal-key',
  ])('has no %s, not even by mistake', (name) => {
    const output = write((log) => {
      log.info({ [name]: 'a secret' }, 'm');
      log.info({ headers: { [name]: 'a secret' } }, 'm');
      log.info({ body: { [name]: ['a secret'] } }, 'm');
    });
    expect(parse(output)).toHaveLength(3);
    expect(output).not.toContain('a secret');
  });
});

describe('an error in a log line', () => {
  const fields = (err: unknown) => parse(write((log) => log.error({ err }, 'm')))[0]?.err;

  it('tells what happened, where, and why', () => {
    class OddError extends Error {
      override name = 'OddError';
      code = 'E_ODD';
    }
    const cause = new OddError('inner');
    expect(fields(new Error('outer', { cause }))).toEqual({
      type: 'Error',
      message: 'outer',
      stack: expect.stringMatching(/^Error: outer\n.*logger\.test\.ts/),
      cause: {
        type: 'OddError',
        message: 'inner',
        code: 'E_ODD',
        stack: expect.stringContaining('inner'),
      },
    });
  });

  it('has nothing of what a library hangs on it', () => {
    const hung = Object.assign(new Error('refused'), {
      body: '{"password":"a secret"}',
      op: { key: 'a secret', shippingAddress: { line1: 'a secret' } },
      writeErrors: [{ err: { op: { key: 'a secret' } } }],
      keyValue: { emailLower: 'a secret' },
      config: { headers: { authorization: 'a secret' } },
    });
    const output = write((log) => {
      log.error({ err: hung }, 'm');
      log.error({ err: new Error('outer', { cause: hung }) }, 'm');
      log.error({ err: { password: 'a secret' } }, 'm');
      log.error({ deadLetterError: hung }, 'm');
      log.error(hung, 'm');
    });
    expect(parse(output)).toHaveLength(5);
    expect(output).not.toContain('a secret');
  });

  it.each([
    ['E11000 dup key: { emailLower: "ann.o\'neil+x@mail.example.com" }', 'mail.example'],
    ['jwt malformed: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'eyJ'],
    ['wrong header Authorization: Bearer abc.def-ghi', 'abc.def'],
    ['cannot reach mongodb://shop:pa55word@db.example:27017/x', 'pa55word'],
    ['cannot reach redis://:pa55word@localhost:6379', 'pa55word'],
  ])('strikes out what %j should not tell', (message, secret) => {
    const output = write((log) => {
      log.error({ err: new Error(message) }, 'm');
      log.error({ err: message }, 'm');
      log.error({ err: new Error('outer', { cause: new Error(message) }) }, 'm');
    });
    expect(parse(output)).toHaveLength(3);
    expect(output).not.toContain(secret);
    expect(output).toContain('[redacted]');
  });

  it('keeps the paths of packages', () => {
    const text = 'at /app/node_modules/@quicksale/shared/src/a.ts:1:2 lru-cache@11.0.0';
    expect(fields(text)).toEqual({ type: 'string', message: text });
  });

  it('ends, however long or tangled it is', () => {
    const tangled = new Error('a@'.repeat(1_000_000));
    tangled.cause = tangled;
    expect(JSON.stringify(fields(tangled)).length).toBeLessThan(200_000);
  });
});
