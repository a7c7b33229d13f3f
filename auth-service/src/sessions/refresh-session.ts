import { unavailable } from '@quicksale/shared/errors';
import type { UserStore } from '../users/user.ts';
import type { SessionDeps, SessionTokens } from './open-session.ts';
import {
  hashSecret,
  readRefreshToken,
  secretBytes,
  successorSecret,
  writeRefreshToken,
  type RefreshToken,
} from './refresh-token.ts';
import { judgeRefresh, refreshLifetimeMs, signInAgain, type Session } from './session.ts';

const rotationTries = 3;

/**
 * Trades a refresh token for new tokens. Of many requests with one token all get the same
 * successor; a token that comes back after the grace ends its session. Throws `unauthenticated`.
 */
export async function refreshSession(
  deps: SessionDeps & { users: UserStore },
  refreshToken: string,
): Promise<SessionTokens> {
  const token = readRefreshToken(refreshToken);
  if (!token) throw signInAgain();
  for (let attempt = 1; attempt <= rotationTries; attempt += 1) {
    const session = await deps.sessions.find(token.sessionId);
    if (!session) throw signInAgain();
    const salt = await advance(deps, session, token);
    // Somebody else rotated meanwhile: what is stored now has their salt.
    if (salt) return answer(deps, session, successorSecret(token.secret, salt));
  }
  throw unavailable('The session could not be refreshed');
}

/** The salt that leads to the token's successor; undefined when the session has moved on. */
async function advance(
  deps: SessionDeps,
  session: Session,
  token: RefreshToken,
): Promise<Buffer | undefined> {
  const nowMs = deps.clock.now();
  const verdict = judgeRefresh(session, token, nowMs);
  switch (verdict) {
    case 'current': {
      const salt = deps.randomBytes(secretBytes);
      const rotated = await deps.sessions.rotate({
        sessionId: session.id,
        fromHash: session.currentHash,
        toHash: hashSecret(successorSecret(token.secret, salt)),
        salt,
        atMs: nowMs,
        expiresAtMs: nowMs + refreshLifetimeMs,
      });
      return rotated ? salt : undefined;
    }
    case 'repeated':
      return session.rotation?.salt;
    case 'reused':
      await deps.sessions.revoke(session.id);
      throw signInAgain();
    case 'ended':
    case 'foreign':
      throw signInAgain();
    default:
      return verdict satisfies never;
  }
}

async function answer(
  deps: SessionDeps & { users: UserStore },
  session: Session,
  secret: Buffer,
): Promise<SessionTokens> {
  // The role of now: a changed one takes effect within the life of an access token.
  const user = await deps.users.findById(session.userId);
  if (!user) throw signInAgain();
  return {
    accessToken: deps.issueAccessToken({
      userId: user.id,
      role: user.role,
      sessionId: session.id,
    }),
    refreshToken: writeRefreshToken(session.id, secret, session.sealKey),
  };
}
