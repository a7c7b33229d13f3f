import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/**
 * A refresh token: `session id (12 bytes) | secret (32) | seal (16)` in base64url.
 *
 * The secret is the credential and is stored only as its hash. The seal proves that this service
 * made the token for this session: an old one that comes back is told from a guess, so reuse can
 * end the session without keeping every hash that ever was, and a guess cannot end it.
 */
export interface RefreshToken {
  sessionId: string;
  secret: Buffer;
  seal: Buffer;
}

export const secretBytes = 32;
const idBytes = 12;
const sealBytes = 16;
const tokenForm = /^[A-Za-z0-9_-]{80}$/;

/** Writes a token; `sealKey` belongs to the session. */
export function writeRefreshToken(sessionId: string, secret: Buffer, sealKey: Buffer): string {
  const id = Buffer.from(sessionId, 'hex');
  return Buffer.concat([id, secret, sealOf(id, secret, sealKey)]).toString('base64url');
}

/** Reads a token; undefined when it has not the form of one. */
export function readRefreshToken(text: string): RefreshToken | undefined {
  if (!tokenForm.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return {
    sessionId: bytes.subarray(0, idBytes).toString('hex'),
    secret: bytes.subarray(idBytes, idBytes + secretBytes),
    seal: bytes.subarray(idBytes + secretBytes),
  };
}

/** True when this service once made the token for the session with that key. */
export function isSealed(token: RefreshToken, sealKey: Buffer): boolean {
  const expected = sealOf(Buffer.from(token.sessionId, 'hex'), token.secret, sealKey);
  return timingSafeEqual(token.seal, expected);
}

/** The form in which a secret is stored. It is random, so a plain hash is enough. */
export const hashSecret = (secret: Buffer) =>
  createHash('sha256').update(secret).digest('base64url');

/**
 * The secret that follows `secret`. It takes both the old secret, which only the client has, and
 * the salt, which only the database has: the same successor can be given out again, and neither a
 * stolen old token nor a stolen database leads to it.
 */
export const successorSecret = (secret: Buffer, salt: Buffer) =>
  createHmac('sha256', secret).update(salt).digest();

const sealOf = (id: Buffer, secret: Buffer, sealKey: Buffer) =>
  createHmac('sha256', sealKey).update(id).update(secret).digest().subarray(0, sealBytes);
