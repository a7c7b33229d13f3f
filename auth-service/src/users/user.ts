import type { Role } from '@quicksale/shared/contracts';

/** An account as it is stored. */
export interface User {
  id: string;
  /** As its owner wrote it. */
  email: string;
  firstName: string;
  lastName: string;
  role: Role;
  passwordHash: string;
  createdAt: Date;
}

/** What an account shows of itself. */
export type PublicUser = Pick<User, 'id' | 'email' | 'firstName' | 'lastName' | 'role'>;

export interface UserStore {
  /** False when the e-mail address has an account already; of many at once one gets true. */
  add(user: User): Promise<boolean>;
  findById(id: string): Promise<User | undefined>;
  findByEmail(email: string): Promise<User | undefined>;
}

/** The form in which e-mail addresses are compared: one account per address in any spelling. */
export const emailKey = (email: string) => email.toLowerCase();

export const toPublicUser = ({ id, email, firstName, lastName, role }: User): PublicUser => ({
  id,
  email,
  firstName,
  lastName,
  role,
});
