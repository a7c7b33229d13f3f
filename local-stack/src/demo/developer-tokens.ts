import { createPrivateKey, randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { keyIdOf, signAccessToken } from '@quicksale/shared/auth';
import type { Role } from '@quicksale/shared/contracts';

const lifetimeSeconds = 3600;

export interface DeveloperToken {
  readonly userId: string;
  readonly token: string;
}

/**
 * Signs access tokens with the stack's own key, as auth-service would for a user who signed in.
 * For development: whoever has the key file can be anybody.
 */
export async function createTokenSigner(options: {
  privateKeyFile: string;
  issuer: string;
  audience: string;
}): Promise<(role: Role, userId?: string) => DeveloperToken> {
  const privateKey = createPrivateKey(await readFile(options.privateKeyFile));
  const kid = keyIdOf(privateKey);
  return (role, userId = newObjectId()) => ({
    userId,
    token: signAccessToken({
      privateKey,
      kid,
      issuer: options.issuer,
      audience: options.audience,
      userId,
      role,
      sessionId: randomUUID(),
      jti: randomUUID(),
      nowMs: Date.now(),
      lifetimeSeconds,
    }),
  });
}

function newObjectId(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return seconds + randomBytes(8).toString('hex');
}
