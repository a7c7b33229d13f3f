import type { Role } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import type { Clock, Random } from '@quicksale/shared/process';
import type { PasswordHasher } from '../passwords/password-hasher.ts';
import type { User, UserStore } from './user.ts';

export interface AddUserDeps {
  users: UserStore;
  passwords: PasswordHasher;
  clock: Clock;
  random: Random;
}

export interface NewUser {
  email: string;
  password: string;
  firstName: string;
  lastName: string;
  role: Role;
}

/** Makes an account. Throws `email-taken`, or `overloaded` when too many passwords are in work. */
export async function addUser(deps: AddUserDeps, input: NewUser): Promise<User> {
  const { users, passwords, clock, random } = deps;
  const nowMs = clock.now();
  // Hashed before the address is looked up: a taken address takes as long as a free one.
  const user: User = {
    id: random.objectId(nowMs),
    email: input.email,
    firstName: input.firstName,
    lastName: input.lastName,
    role: input.role,
    passwordHash: await passwords.hash(input.password),
    createdAt: new Date(nowMs),
  };
  if (!(await users.add(user))) throw new AppError('email-taken');
  return user;
}
