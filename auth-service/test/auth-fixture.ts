import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@quicksale/shared/config';
import { createLogger } from '@quicksale/shared/log';
import { testNamespace } from '@quicksale/shared/testing';
import { config as configTable } from '../src/config.ts';
import { buildService, type AuthService } from '../src/service.ts';

export const internalKey = 'internal-key-of-the-test';
export const password = 'correct horse';

let people = 0;
/** A body of POST /api/auth/register. */
export const somebody = () => ({
  email: `Somebody${(people += 1)}@Example.com`,
  password,
  firstName: 'Some',
  lastName: 'Body',
});

export interface AuthFixture {
  service: AuthService;
  /** Another auth-service with the same key and the same stores, not started. */
  build(changes: Record<string, string>): AuthService;
  /** Everything that the service has logged, down to the finest level. */
  lines: string[];
  stop(): Promise<void>;
}

/** The whole service on real stores, with a key of its own. */
export async function startAuth(
  options: { namespace?: string } & NonNullable<Parameters<typeof buildService>[2]> = {},
): Promise<AuthFixture> {
  const { namespace = testNamespace('auth'), ...overrides } = options;
  const folder = mkdtempSync(join(tmpdir(), 'quicksale-auth-'));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const lines: string[] = [];
  const log = createLogger(
    { service: 'auth-service', level: 'trace' },
    { write: (line) => void lines.push(line) },
  );
  const build = (changes: Record<string, string>) => {
    const config = loadConfig(configTable, {
      MONGO_URL: process.env.MONGO_URL,
      REDIS_URL: process.env.REDIS_URL,
      NAMESPACE: namespace,
      INTERNAL_KEY: internalKey,
      JWT_PRIVATE_KEY_FILE: join(folder, 'key.pem'),
      AUTH_SERVICE_PORT: '0',
      AUTH_SERVICE_ADMIN_PORT: '0',
      ...changes,
    });
    return buildService(config, log, overrides);
  };
  const service = build({});
  await service.start();
  return {
    service,
    build,
    lines,
    stop: async () => {
      await service.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
