import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keyIdOf, publicJwk, signAccessToken } from '@quicksale/shared/auth';
import type { Role } from '@quicksale/shared/contracts';
import { newId } from '@quicksale/shared/testing';

/** auth-service's part for a process that verifies tokens itself. */
export async function startTokenIssuer(): Promise<{
  jwksUrl: string;
  tokenOf(userId: string, role?: Role): string;
  stop(): Promise<void>;
}> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const server = createServer((_req, res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ keys: [publicJwk(privateKey)] }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    tokenOf: (userId, role = 'CUSTOMER') =>
      signAccessToken({
        privateKey,
        kid: keyIdOf(privateKey),
        issuer: 'quicksale',
        audience: 'quicksale',
        userId,
        role,
        sessionId: newId(),
        jti: newId(),
        lifetimeSeconds: 600,
        nowMs: Date.now(),
      }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
