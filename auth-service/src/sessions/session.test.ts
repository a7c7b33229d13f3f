import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  hashSecret,
  isSealed,
  readRefreshToken,
  successorSecret,
  writeRefreshToken,
} from './refresh-token.ts';
import { judgeRefresh, refreshGraceMs, type Session } from './session.ts';

const id = '65a000000000000000000001';
const sealKey = randomBytes(32);
const [first, salt] = [randomBytes(32), randomBytes(32)];
const second = successorSecret(first, salt);
const nowMs = 1_800_000_000_000;

const session: Session = {
  id,
  userId: id,
  sealKey,
  currentHash: hashSecret(second),
  rotation: { fromHash: hashSecret(first), salt, atMs: nowMs },
  createdAtMs: nowMs,
  expiresAtMs: nowMs + 60_000,
  revoked: false,
};

const tokenOf = (secret: Buffer, key = sealKey) => {
  const token = readRefreshToken(writeRefreshToken(id, secret, key));
  if (!token) throw new Error('not a token');
  return token;
};

describe('a refresh token', () => {
  it('is opaque, 256 bits of secret, and reads back', () => {
    const text = writeRefreshToken(id, first, sealKey);
    expect(text).toMatch(/^[A-Za-z0-9_-]{80}$/);
    expect(readRefreshToken(text)).toMatchObject({ sessionId: id, secret: first });
  });

  it.each(['', 'x', 'x'.repeat(79), 'x'.repeat(81), `${'x'.repeat(79)}.`, 'eyJ.eyJ.x'])(
    '%j is none',
    (text) => {
      expect(readRefreshToken(text)).toBeUndefined();
    },
  );

  it('is sealed for its session', () => {
    expect(isSealed(tokenOf(first), sealKey)).toBe(true);
    expect(isSealed(tokenOf(first, randomBytes(32)), sealKey)).toBe(false);
  });

  it('has one successor per salt, which the salt alone does not give', () => {
    expect(successorSecret(first, salt)).toEqual(second);
    expect(successorSecret(first, randomBytes(32))).not.toEqual(second);
    expect(successorSecret(randomBytes(32), salt)).not.toEqual(second);
  });
});

describe('the verdict about a refresh token', () => {
  it.each([
    ['the current one', second, 0, 'current'],
    ['the one before, within the grace', first, refreshGraceMs, 'repeated'],
    ['the one before, later', first, refreshGraceMs + 1, 'reused'],
    ['one of long ago', randomBytes(32), 0, 'reused'],
    ['the current one after its end', second, 60_000, 'ended'],
  ])('%s', (_name, secret, afterMs, verdict) => {
    expect(judgeRefresh(session, tokenOf(secret), nowMs + afterMs)).toBe(verdict);
  });

  it('guessed: foreign, so a guess ends nobody’s session', () => {
    expect(judgeRefresh(session, tokenOf(second, randomBytes(32)), nowMs)).toBe('foreign');
  });

  it('of a revoked session: ended', () => {
    expect(judgeRefresh({ ...session, revoked: true }, tokenOf(second), nowMs)).toBe('ended');
  });
});
