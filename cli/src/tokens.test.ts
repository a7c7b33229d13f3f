import { describe, expect, test } from '@jest/globals';
import { parseTokensRequest, printTokens } from './tokens.ts';

describe('tokens', () => {
  test('takes one CUSTOMER token unless told otherwise', () => {
    expect(parseTokensRequest([])).toEqual({ count: 1, role: 'CUSTOMER', userId: undefined });
    const args = ['--count', '3', '--role', 'ADMIN', '--user', 'a'.repeat(24)];
    expect(parseTokensRequest(args)).toEqual({ count: 3, role: 'ADMIN', userId: 'a'.repeat(24) });
  });

  test('refuses what cannot be meant', () => {
    for (const args of [
      ['--count', '0'],
      ['--count', 'x'],
      ['--role', 'customer'],
      ['--user', 'me'],
      ['--colour', 'red'],
    ]) {
      expect(() => parseTokensRequest(args)).toThrow();
    }
  });

  test('refuses to sign in production', async () => {
    const env = { NODE_ENV: 'production' };
    const signing = printTokens({ args: [], env, stackEnv: {}, write: () => undefined });
    await expect(signing).rejects.toThrow('production');
  });
});
