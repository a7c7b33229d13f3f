import { hash, verify } from '@node-rs/argon2';
import { createBulkhead, type BulkheadOptions } from '@quicksale/shared/limits';

/** OWASP's argon2id settings: 19 MiB, two passes; about 5 ms. */
export const argon2Settings = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/**
 * A hash of random bytes nobody kept, with the settings above. Logins to accounts that do not exist
 * are checked against it, so that they take as long as any other.
 */
export const nobodysHash =
  '$argon2id$v=19$m=19456,t=2,p=1$OPBhXDW82Dx/D79iiXBshg$gjWN03Fktc0yyxoshS5mXPtXmb8aGH6quje8I62DCHM';

/** Hashing is the dearest thing a stranger can make us do: two at a time, few may wait. */
const hashing = { concurrent: 2, waiting: 64, waitLimitMs: 2_000 };

/** Both throw `overloaded` when too many passwords are in work. */
export interface PasswordHasher {
  hash(password: string): Promise<string>;
  matches(passwordHash: string, password: string): Promise<boolean>;
}

/** What does the work, on threads of its own. */
export interface Argon2 {
  hash(password: string, settings: typeof argon2Settings): Promise<string>;
  verify(passwordHash: string, password: string): Promise<boolean>;
}

export function createPasswordHasher(
  options: { limits?: BulkheadOptions; argon2?: Argon2 | undefined } = {},
): PasswordHasher {
  const { limits = hashing, argon2 = { hash, verify } } = options;
  const bulkhead = createBulkhead(limits);

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const leave = await bulkhead.enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }

  return {
    hash: (password) => inTurn(() => argon2.hash(password, argon2Settings)),
    matches: (passwordHash, password) => inTurn(() => argon2.verify(passwordHash, password)),
  };
}
