import type { Clock, Random } from '@quicksale/shared/process';
import type { User } from '../users/user.ts';
import type { IssueAccessToken } from './issue-access-token.ts';
import { hashSecret, secretBytes, writeRefreshToken } from './refresh-token.ts';
import { refreshLifetimeMs, type SessionStore } from './session.ts';

export interface SessionDeps {
  sessions: SessionStore;
  issueAccessToken: IssueAccessToken;
  clock: Clock;
  random: Random;
  /** Bytes fit for secrets. */
  randomBytes: (size: number) => Buffer;
}

export interface SessionTokens {
  accessToken: string;
  refreshToken: string;
}

/** Signs a user in: a new session with its first tokens. */
export async function openSession(deps: SessionDeps, user: User): Promise<SessionTokens> {
  const nowMs = deps.clock.now();
  const id = deps.random.objectId(nowMs);
  const secret = deps.randomBytes(secretBytes);
  const sealKey = deps.randomBytes(secretBytes);
  await deps.sessions.add({
    id,
    userId: user.id,
    sealKey,
    currentHash: hashSecret(secret),
    rotation: undefined,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + refreshLifetimeMs,
    revoked: false,
  });
  return {
    accessToken: deps.issueAccessToken({ userId: user.id, role: user.role, sessionId: id }),
    refreshToken: writeRefreshToken(id, secret, sealKey),
  };
}
