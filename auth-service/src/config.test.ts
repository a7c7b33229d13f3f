import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@quicksale/shared/config';
import { config as configTable } from './config.ts';

const folder = mkdtempSync(join(tmpdir(), 'quicksale-key-'));
const env = {
  MONGO_URL: 'mongodb://127.0.0.1/',
  REDIS_URL: 'redis://127.0.0.1',
  INTERNAL_KEY: '0123456789abcdef',
};
const load = (file: string) =>
  loadConfig(configTable, { ...env, JWT_PRIVATE_KEY_FILE: join(folder, file) });
const write = (file: string, modulusLength: number) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength });
  writeFileSync(join(folder, file), privateKey.export({ type: 'pkcs8', format: 'pem' }));
};

beforeAll(() => {
  write('good.pem', 2048);
  write('short.pem', 1024);
  writeFileSync(join(folder, 'text.pem'), 'hello');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the signing key', () => {
  it('is read from its file', () => {
    expect(load('good.pem').signingKey.asymmetricKeyType).toBe('rsa');
  });

  it.each([
    ['absent.pem', 'cannot be read'],
    ['text.pem', 'no private key'],
    ['short.pem', 'at least 2048 bits'],
  ])('%s stops the start with a reason', (file, reason) => {
    expect(() => load(file)).toThrow(reason);
  });
});
