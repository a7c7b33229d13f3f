import { isSealed, readRefreshToken } from './refresh-token.ts';
import type { SessionStore } from './session.ts';

/**
 * Ends the session of a refresh token, an old one included. Anything else is no error: whoever
 * signs out is signed out. Access tokens live out their minutes.
 */
export async function logOut(
  deps: { sessions: SessionStore },
  refreshToken: string,
): Promise<void> {
  const token = readRefreshToken(refreshToken);
  const session = token && (await deps.sessions.find(token.sessionId));
  if (session && isSealed(token, session.sealKey)) await deps.sessions.revoke(session.id);
}
