import { describe, expect, test } from '@jest/globals';
import { formatEnvFile, parseEnvFile } from './env-file.ts';

describe('env file', () => {
  test('reads what it wrote, also values with = and spaces', () => {
    const entries = { MONGO_URL: 'mongodb://a:b@h/?x=1&y=2', PLAIN: '', SPACED: ' a b ' };
    expect(parseEnvFile(formatEnvFile(entries))).toEqual(entries);
  });

  test('passes over comments, empty and malformed lines', () => {
    expect(parseEnvFile('# A=1\n\nlower=2\r\nB=3\r\n')).toEqual({ B: '3' });
  });

  test('refuses a value that would become two lines', () => {
    expect(() => formatEnvFile({ A: 'x\nB=1' })).toThrow('more than one line');
  });
});
