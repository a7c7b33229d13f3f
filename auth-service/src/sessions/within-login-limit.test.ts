import { beforeEach, describe, expect, it } from '@jest/globals';
import { AppError, unavailable } from '@quicksale/shared/errors';
import { createMemoryRateLimiter } from '@quicksale/shared/limits';
import { withinLoginLimit, type LoginLimiters } from './within-login-limit.ts';

let limiters: LoginLimiters;
let headers: Record<string, string>;
let tried: number;
beforeEach(() => {
  limiters = {
    attempts: createMemoryRateLimiter({ name: 'login', points: 100, windowSeconds: 60 }),
    failures: createMemoryRateLimiter({ name: 'login-failures', points: 4, windowSeconds: 3_600 }),
  };
  headers = {};
  tried = 0;
});

const setHeader = (name: string, value: string) => void (headers[name] = value);
const attempt = (outcome?: Error, changes: { ip?: string; email?: string } = {}) =>
  withinLoginLimit(
    limiters,
    { ip: '203.0.113.7', email: 'ann@example.com', setHeader, ...changes },
    async () => {
      tried += 1;
      if (outcome) throw outcome;
    },
  ).then(
    () => 'signed in',
    (error: unknown) => (error as AppError).code,
  );
const wrong = () => attempt(new AppError('invalid-credentials'));

describe('failed logins in a row', () => {
  it('make the next ones wait, the right password included, without any hashing', async () => {
    const answers = [await wrong(), await wrong(), await wrong(), await wrong(), await wrong()];
    expect(answers).toEqual([...Array<string>(4).fill('invalid-credentials'), 'rate-limited']);
    expect(await attempt()).toBe('rate-limited');
    expect(tried).toBe(4);
    expect(headers['RateLimit-Policy']).toBe('"login-failures";q=4;w=3600');
  });

  it('at the same time are no more than one after the other', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, wrong));
    expect(answers.filter((code) => code === 'invalid-credentials')).toHaveLength(4);
    expect(tried).toBe(4);
  });

  it('are forgotten with a good one', async () => {
    for (let round = 0; round < 4; round += 1) {
      expect([await wrong(), await wrong(), await wrong()]).not.toContain('rate-limited');
      expect(await attempt()).toBe('signed in');
    }
  });

  it('do not count when the service was to blame', async () => {
    for (let n = 0; n < 10; n += 1)
      expect(await attempt(unavailable('away'))).toBe('dependency-unavailable');
    expect(await attempt()).toBe('signed in');
  });

  it('lock nobody out who comes from elsewhere, and no other account', async () => {
    for (let n = 0; n < 5; n += 1) await wrong();
    expect(await attempt()).toBe('rate-limited');
    expect(await attempt(undefined, { email: 'ANN@example.com' })).toBe('rate-limited');
    expect(await attempt(undefined, { ip: '198.51.100.7' })).toBe('signed in');
    expect(await attempt(undefined, { email: 'bob@example.com' })).toBe('signed in');
  });
});
