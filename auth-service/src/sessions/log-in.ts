import { AppError } from '@quicksale/shared/errors';
import { nobodysHash, type PasswordHasher } from '../passwords/password-hasher.ts';
import type { User, UserStore } from '../users/user.ts';
import { openSession, type SessionDeps, type SessionTokens } from './open-session.ts';

export interface LogInDeps extends SessionDeps {
  users: UserStore;
  passwords: PasswordHasher;
}

/**
 * Signs in with a password. An unknown address and a wrong password are one answer,
 * `invalid-credentials`, after the same work. Throws `overloaded` as well.
 */
export async function logIn(
  deps: LogInDeps,
  input: { email: string; password: string },
): Promise<SessionTokens & { user: User }> {
  const user = await deps.users.findByEmail(input.email);
  const matches = await deps.passwords.matches(user?.passwordHash ?? nobodysHash, input.password);
  if (!user || !matches) throw new AppError('invalid-credentials');
  return { user, ...(await openSession(deps, user)) };
}
