import jwt from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors/index.ts';
import type { Clock } from '../process/ports.ts';
import { clockToleranceSeconds, tokenClaimsSchema, tokenHeaderSchema } from './access-token.ts';
import { createKeySet, httpJwks, type FetchJwks } from './key-set.ts';
import type { Principal, VerifyAccessToken } from './principal.ts';

const longestToken = 4_096;

export interface TokenVerifierOptions {
  jwksUrl: string;
  issuer: string;
  audience: string;
  clock: Clock;
  /** Where the keys come from, if not from `jwksUrl`. */
  fetchJwks?: FetchJwks;
  /** How many verified tokens are remembered. */
  cachedTokens?: number;
}

/**
 * Verifies access tokens with the keys of a JWKS. Nothing is fetched before the first token, so a
 * service starts without auth-service. Throws `token-expired`, `unauthenticated` for everything
 * else that is wrong with a token, `dependency-unavailable` while no keys can be had.
 */
export function createTokenVerifier(options: TokenVerifierOptions): VerifyAccessToken {
  const { issuer, audience, clock, cachedTokens = 10_000 } = options;
  const keys = createKeySet({ fetchJwks: options.fetchJwks ?? httpJwks(options.jwksUrl), clock });
  // Verified tokens only, by the whole token: forged ones can neither fill it nor hit another's.
  const verified = new LRUCache<string, { principal: Principal; kid: string }>({
    max: cachedTokens,
  });

  return async (token) => {
    const cached = verified.get(token);
    if (cached && keys.has(cached.kid) && cached.principal.expiresAtMs > clock.now())
      return cached.principal;
    if (token.length > longestToken) throw new AppError('unauthenticated');
    const { kid } = readHeader(token);
    const key = await keys.find(kid);
    if (!key) throw new AppError('unauthenticated');
    const principal = readClaims(
      checkSignature(() =>
        jwt.verify(token, key, {
          algorithms: ['RS256'],
          issuer,
          audience,
          clockTolerance: clockToleranceSeconds,
          clockTimestamp: Math.floor(clock.now() / 1000),
        }),
      ),
      clock.now(),
    );
    verified.set(token, { principal, kid });
    return principal;
  };
}

function readHeader(token: string): { kid: string } {
  const encoded = token.split('.', 1)[0] ?? '';
  try {
    const header: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return tokenHeaderSchema.parse(header);
  } catch (cause) {
    throw new AppError('unauthenticated', { cause });
  }
}

function checkSignature(verify: () => unknown): unknown {
  try {
    return verify();
  } catch (cause) {
    const code = cause instanceof jwt.TokenExpiredError ? 'token-expired' : 'unauthenticated';
    throw new AppError(code, { cause });
  }
}

function readClaims(payload: unknown, nowMs: number): Principal {
  const { success, data, error } = tokenClaimsSchema.safeParse(payload);
  if (!success) throw new AppError('unauthenticated', { cause: error });
  if (data.iat > nowMs / 1000 + clockToleranceSeconds) throw new AppError('unauthenticated');
  return {
    userId: data.sub,
    role: data.role,
    sessionId: data.sid,
    expiresAtMs: data.exp * 1000,
  };
}
