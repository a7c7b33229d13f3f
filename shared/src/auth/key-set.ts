import { createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { unavailable } from '../errors/index.ts';
import type { Clock } from '../process/ports.ts';

/** The public keys that tokens may be signed with. */
export interface KeySet {
  /** Key of that name, or undefined where there is none. Throws `dependency-unavailable`. */
  find(kid: string): Promise<KeyObject | undefined>;
  /** True while the key is known, without asking for it. */
  has(kid: string): boolean;
}

/** Fetches a JWKS document; throws whatever went wrong. */
export type FetchJwks = () => Promise<unknown>;

/** Made-up key names must not make us fetch without end. */
const pauseAfterFetchMs = 5_000;
const pauseAfterFailureMs = 1_000;
const fetchLimitMs = 2_000;
const smallestModulusBits = 2048;

const jwksSchema = z.object({ keys: z.array(z.unknown()).max(100) });
const jwkSchema = z.object({
  kty: z.literal('RSA'),
  kid: z.string(),
  n: z.string(),
  e: z.string(),
  use: z.literal('sig').optional(),
  alg: z.literal('RS256').optional(),
});

/**
 * Keys fetched when first needed and kept without expiry: an auth-service that is down does not
 * sign anybody out. An unknown name fetches anew, at most once per 5 s; callers share one fetch.
 */
export function createKeySet(options: { fetchJwks: FetchJwks; clock: Clock }): KeySet {
  const { fetchJwks, clock } = options;
  let keys: ReadonlyMap<string, KeyObject> = new Map();
  let pending: Promise<void> | undefined;
  let nextFetchMs = 0;
  let failure: unknown;

  async function fetchKeys(): Promise<void> {
    try {
      keys = parseJwks(await fetchJwks());
      failure = undefined;
      nextFetchMs = clock.now() + pauseAfterFetchMs;
    } catch (error) {
      failure = error;
      nextFetchMs = clock.now() + pauseAfterFailureMs;
    }
  }

  return {
    find: async (kid) => {
      const known = keys.get(kid);
      if (known) return known;
      if (!pending && clock.now() >= nextFetchMs)
        pending = fetchKeys().finally(() => {
          pending = undefined;
        });
      await pending;
      const found = keys.get(kid);
      // Without an answer nobody can say that the key is a false one.
      if (!found && failure !== undefined)
        throw unavailable('The keys of access tokens are not reachable', failure);
      return found;
    },
    has: (kid) => keys.has(kid),
  };
}

/** Reads a JWKS over HTTP. */
export function httpJwks(url: string): FetchJwks {
  return async () => {
    const answer = await fetch(url, {
      redirect: 'error',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(fetchLimitMs),
    });
    if (!answer.ok) throw new Error(`The key set answered ${answer.status}`);
    return answer.json();
  };
}

/** Keys of other kinds and keys that are too short are left out, not an error. */
function parseJwks(document: unknown): ReadonlyMap<string, KeyObject> {
  const usable = jwksSchema.parse(document).keys.flatMap((entry) => {
    const jwk = jwkSchema.safeParse(entry);
    if (!jwk.success) return [];
    const { kid, kty, n, e } = jwk.data;
    const key = createPublicKey({ key: { kty, n, e }, format: 'jwk' });
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    return bits >= smallestModulusBits ? [[kid, key] as const] : [];
  });
  return new Map(usable);
}
