import type { KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { z } from 'zod';
import { roles, type Role } from '../contracts/roles.ts';

/** Longest life of a token that is accepted, in seconds. Our own are shorter. */
const longestLifetimeSeconds = 3_600;

/** How far clocks of two machines may be apart, in seconds. */
export const clockToleranceSeconds = 5;

/**
 * The header of an access token. `kid` must be a thumbprint, so it can name nothing but a key;
 * `jku`, `x5u` and `jwk` are let be and never looked at; `crit` asks for rules we do not know.
 */
export const tokenHeaderSchema = z.object({
  alg: z.literal('RS256'),
  typ: z.literal('at+jwt'),
  kid: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  crit: z.never().optional(),
});

const seconds = z.number().int().nonnegative();
const identifier = z.string().min(1).max(64);

/** The claims of an access token; jsonwebtoken by itself takes one without exp or an object sub. */
export const tokenClaimsSchema = z
  .object({
    iss: z.string(),
    aud: z.string(),
    sub: z.string().regex(/^[0-9a-f]{24}$/),
    role: z.enum(roles),
    sid: identifier,
    jti: identifier,
    iat: seconds,
    exp: seconds,
  })
  .refine(({ exp, iat }) => exp > iat && exp - iat <= longestLifetimeSeconds);

export interface AccessTokenInput {
  privateKey: KeyObject;
  /** `keyIdOf` the key. */
  kid: string;
  issuer: string;
  audience: string;
  userId: string;
  role: Role;
  sessionId: string;
  nowMs: number;
  lifetimeSeconds: number;
  /** Unique per token. */
  jti: string;
}

/** An RS256 access token (RFC 9068 `at+jwt`) that `createTokenVerifier` accepts. */
export function signAccessToken(input: AccessTokenInput): string {
  const iat = Math.floor(input.nowMs / 1000);
  return jwt.sign(
    {
      iss: input.issuer,
      aud: input.audience,
      sub: input.userId,
      role: input.role,
      sid: input.sessionId,
      jti: input.jti,
      iat,
      exp: iat + input.lifetimeSeconds,
    },
    input.privateKey,
    { algorithm: 'RS256', header: { alg: 'RS256', typ: 'at+jwt', kid: input.kid } },
  );
}
