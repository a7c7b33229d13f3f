import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { argon2Settings, createPasswordHasher, nobodysHash } from '../passwords/password-hasher.ts';
import { addUser } from '../users/add-user.ts';
import { emailKey, type User } from '../users/user.ts';
import { logIn, type LogInDeps } from './log-in.ts';

const nowMs = 1_800_000_000_000;
const user: User = {
  id: '65a000000000000000000001',
  email: 'Ann@example.com',
  firstName: 'Ann',
  lastName: 'A',
  role: 'CUSTOMER',
  passwordHash: 'hash of ann',
  createdAt: new Date(nowMs),
};

/** The use cases with one account, and what they asked for in order. */
function givenAccount() {
  const work: unknown[] = [];
  const deps: LogInDeps = {
    users: {
      findByEmail: async (email) => {
        work.push('look up');
        return emailKey(email) === emailKey(user.email) ? user : undefined;
      },
      findById: async () => user,
      add: async ({ email }) => {
        work.push('add');
        return emailKey(email) !== emailKey(user.email);
      },
    },
    passwords: createPasswordHasher({
      argon2: {
        hash: async (_password, settings) => {
          work.push(['hash', settings]);
          return 'a hash';
        },
        verify: async (passwordHash, password) => {
          work.push(['verify', passwordHash]);
          return passwordHash === user.passwordHash && password === 'right';
        },
      },
    }),
    sessions: {
      add: async () => void work.push('session'),
      find: async () => undefined,
      rotate: async () => false,
      revoke: async () => undefined,
    },
    issueAccessToken: () => 'token',
    clock: { now: () => nowMs },
    random: { objectId: () => user.id, integer: () => 0 },
    randomBytes,
  };
  return { deps, work };
}

describe('logging in', () => {
  it.each([
    ['a wrong password', user.email, user.passwordHash],
    ['an unknown address', 'bob@example.com', nobodysHash],
  ])('with %s costs one verification and tells nothing else', async (_name, email, hash) => {
    const { deps, work } = givenAccount();
    await expect(logIn(deps, { email, password: 'wrong' })).rejects.toMatchObject({
      code: 'invalid-credentials',
      message: 'E-mail address or password is wrong',
    });
    expect(work).toEqual(['look up', ['verify', hash]]);
  });

  it('to an account that does not exist is refused whatever the hasher says', async () => {
    const { deps } = givenAccount();
    deps.passwords = { ...deps.passwords, matches: async () => true };
    await expect(logIn(deps, { email: 'bob@example.com', password: 'x' })).rejects.toMatchObject({
      code: 'invalid-credentials',
    });
  });
});

describe('registering', () => {
  it.each([user.email, 'bob@example.com'])(
    '%s costs one hash before it is looked up',
    async (email) => {
      const { deps, work } = givenAccount();
      const input = { email, password: 'right', firstName: 'A', lastName: 'B', role: 'CUSTOMER' };
      await addUser(deps, { ...input, role: 'CUSTOMER' }).catch(() => undefined);
      expect(work).toEqual([['hash', argon2Settings], 'add']);
    },
  );
});
