import type { Role } from '../contracts/roles.ts';

/** Who a verified access token speaks for. Identity is the token alone, never a header. */
export interface Principal {
  userId: string;
  role: Role;
  sessionId: string;
  expiresAtMs: number;
}

/** Throws AppError `unauthenticated` or `token-expired`; `dependency-unavailable` without keys. */
export type VerifyAccessToken = (token: string) => Promise<Principal>;
