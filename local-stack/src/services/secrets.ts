import { generateKeyPair, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exists } from '../system/find-program.ts';
import type { Environment } from '../system/report.ts';
import { readEnvFile } from './env-file.ts';

export interface Secrets {
  readonly INTERNAL_KEY: string;
  readonly JWT_PRIVATE_KEY_FILE: string;
}

/** The stack's own secrets: from the environment, else from its folder, else made now. */
export async function readOrMakeSecrets(topFolder: string, env: Environment): Promise<Secrets> {
  const known = await readEnvFile(join(topFolder, 'env'));
  const keyFile = env.JWT_PRIVATE_KEY_FILE || join(topFolder, 'keys', 'jwt-private.pem');
  if (!(await exists(keyFile))) {
    await makeSigningKey(keyFile);
  }
  return {
    INTERNAL_KEY: env.INTERNAL_KEY || known.INTERNAL_KEY || randomBytes(24).toString('base64url'),
    JWT_PRIVATE_KEY_FILE: keyFile,
  };
}

async function makeSigningKey(file: string): Promise<void> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  await mkdir(join(file, '..'), { recursive: true, mode: 0o700 });
  await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
}
