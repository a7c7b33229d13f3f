import { AppError } from '@quicksale/shared/errors';
import { hashSecret, isSealed, type RefreshToken } from './refresh-token.ts';

/** One sign-in and the family of refresh tokens that descends from it. */
export interface Session {
  id: string;
  userId: string;
  /** Seals the family's tokens; see refresh-token.ts. */
  sealKey: Buffer;
  /** Hash of the one secret that may be used next. */
  currentHash: string;
  /** The rotation that led to it, so that the same successor can be given out again. */
  rotation: { fromHash: string; salt: Buffer; atMs: number } | undefined;
  createdAtMs: number;
  expiresAtMs: number;
  revoked: boolean;
}

/** A step from one secret to the next. */
export interface Rotation {
  sessionId: string;
  fromHash: string;
  toHash: string;
  salt: Buffer;
  atMs: number;
  expiresAtMs: number;
}

export interface SessionStore {
  add(session: Session): Promise<void>;
  find(id: string): Promise<Session | undefined>;
  /** False when `fromHash` is no longer the session's current one, or the session was revoked. */
  rotate(rotation: Rotation): Promise<boolean>;
  revoke(id: string): Promise<void>;
}

/** A refresh token lives this long after it was made. */
export const refreshLifetimeMs = 30 * 24 * 3_600_000;

/** A client that lost the answer may ask again this long; later the same token means theft. */
export const refreshGraceMs = 10_000;

/**
 * What a refresh token means to its session: `current` may be rotated, `repeated` gets the same
 * successor again, `reused` is an old one and ends the session, `ended` and `foreign` get nothing.
 */
export type RefreshVerdict = 'current' | 'repeated' | 'reused' | 'ended' | 'foreign';

export function judgeRefresh(session: Session, token: RefreshToken, nowMs: number): RefreshVerdict {
  if (!isSealed(token, session.sealKey)) return 'foreign';
  if (session.revoked || session.expiresAtMs <= nowMs) return 'ended';
  const hash = hashSecret(token.secret);
  if (hash === session.currentHash) return 'current';
  const { rotation } = session;
  const isRepeat = rotation?.fromHash === hash && nowMs - rotation.atMs <= refreshGraceMs;
  return isRepeat ? 'repeated' : 'reused';
}

/** One answer for every refresh token that is of no use: it tells nothing about why. */
export const signInAgain = () => new AppError('unauthenticated', { message: 'Sign in again' });
