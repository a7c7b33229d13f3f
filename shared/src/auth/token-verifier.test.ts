import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type KeyObject,
} from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { createTokenVerifier, keyIdOf, publicJwk, signAccessToken } from './index.ts';

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const privateKey = newKey();
const otherKey = newKey();
const kid = keyIdOf(privateKey);
const startMs = 1_800_000_000_000;
const userId = '65a000000000000000000001';

let nowMs = startMs;
let fetches = 0;
let published: unknown = { keys: [publicJwk(privateKey)] };

const newVerifier = () =>
  createTokenVerifier({
    jwksUrl: 'http://unused.invalid/',
    issuer: 'quicksale',
    audience: 'shop',
    clock: { now: () => nowMs },
    fetchJwks: async () => {
      fetches += 1;
      if (published instanceof Error) throw published;
      return published;
    },
  });
let verify = newVerifier();

beforeEach(() => {
  nowMs = startMs;
  fetches = 0;
  published = { keys: [publicJwk(privateKey)] };
  verify = newVerifier();
});

const goodClaims = {
  iss: 'quicksale',
  aud: 'shop',
  sub: userId,
  role: 'CUSTOMER',
  sid: 'session-1',
  jti: 'token-1',
  iat: startMs / 1000,
  exp: startMs / 1000 + 900,
};
const goodHeader = { alg: 'RS256', typ: 'at+jwt', kid };

/** Any token at all, properly signed unless `signature` says otherwise. */
function forge(
  changes: { header?: object; claims?: object; key?: KeyObject; signature?: string } = {},
): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const content = `${encode({ ...goodHeader, ...changes.header })}.${encode({ ...goodClaims, ...changes.claims })}`;
  const signature =
    changes.signature ??
    sign('sha256', Buffer.from(content), changes.key ?? privateKey).toString('base64url');
  return `${content}.${signature}`;
}

const expectCode = (token: string, code: string) =>
  expect(verify(token)).rejects.toMatchObject({ code });

describe('a good token', () => {
  it('made by signAccessToken is verified', async () => {
    const token = signAccessToken({
      privateKey,
      kid,
      issuer: 'quicksale',
      audience: 'shop',
      userId,
      role: 'MERCHANT',
      sessionId: 'session-1',
      nowMs,
      lifetimeSeconds: 900,
      jti: 'token-1',
    });
    await expect(verify(token)).resolves.toEqual({
      userId,
      role: 'MERCHANT',
      sessionId: 'session-1',
      expiresAtMs: startMs + 900_000,
    });
  });

  it('made by hand is verified, so the refusals below are about their one change', async () => {
    await expect(verify(forge())).resolves.toMatchObject({ userId });
  });
});

describe('a forged token', () => {
  const publicPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
  const hmacToken = () => {
    const content = forge({ header: { alg: 'HS256' } })
      .split('.')
      .slice(0, 2)
      .join('.');
    return `${content}.${createHmac('sha256', publicPem).update(content).digest('base64url')}`;
  };
  const thumbprint = 'A'.repeat(43);

  it.each<[string, string]>([
    ['alg none', forge({ header: { alg: 'none' }, signature: '' })],
    ['alg none, signed', forge({ header: { alg: 'none' } })],
    ['HS256 with the public key as secret', hmacToken()],
    ['alg in lower case', forge({ header: { alg: 'rs256' } })],
    ['another RSA algorithm', forge({ header: { alg: 'PS256' } })],
    ['no alg', forge({ header: { alg: undefined } })],
    ['typ JWT', forge({ header: { typ: 'JWT' } })],
    ['no typ', forge({ header: { typ: undefined } })],
    ['crit', forge({ header: { crit: ['exp'] } })],
    ['crit null', forge({ header: { crit: null } })],
    ['no exp', forge({ claims: { exp: undefined } })],
    ['no iat', forge({ claims: { iat: undefined } })],
    ['no jti', forge({ claims: { jti: undefined } })],
    ['no sid', forge({ claims: { sid: undefined } })],
    ['wrong iss', forge({ claims: { iss: 'other' } })],
    ['wrong aud', forge({ claims: { aud: 'other' } })],
    ['several aud', forge({ claims: { aud: ['shop', 'other'] } })],
    ['sub as an object', forge({ claims: { sub: { $ne: null } } })],
    ['sub that is no id', forge({ claims: { sub: 'root' } })],
    ['unknown role', forge({ claims: { role: 'ROOT' } })],
    ['roles as a list', forge({ claims: { role: ['ADMIN'] } })],
    ['iat in the future', forge({ claims: { iat: goodClaims.iat + 6 } })],
    ['life of more than an hour', forge({ claims: { exp: goodClaims.iat + 3601 } })],
    ['exp before iat', forge({ claims: { iat: goodClaims.iat + 5, exp: goodClaims.iat + 4 } })],
    ['exp as text', forge({ claims: { exp: String(goodClaims.exp) } })],
    ['another key', forge({ key: otherKey })],
    ['no signature', forge({ signature: '' })],
    ['nonsense', 'x'],
    ['three dots', '...'],
    ['nothing', ''],
    ['header null', `${Buffer.from('null').toString('base64url')}.e30.x`],
    ['5 kB', forge({ claims: { x: 'x'.repeat(5000) } })],
    ['unknown kid', forge({ header: { kid: thumbprint }, key: otherKey })],
  ])('%s is refused', async (_name, token) => {
    await expectCode(token, 'unauthenticated');
  });

  it.each(['../../etc/passwd', "' OR 1=1 --", '__proto__', 'constructor', ''])(
    'kid %j is refused without a fetch',
    async (badKid) => {
      await expectCode(forge({ header: { kid: badKid } }), 'unauthenticated');
      expect(fetches).toBe(0);
    },
  );

  it('cannot bring its own key in jwk, jku or x5u', async () => {
    const header = {
      jwk: publicJwk(otherKey),
      jku: 'http://attacker.invalid/',
      x5u: 'http://attacker.invalid/',
    };
    await expectCode(forge({ header, key: otherKey }), 'unauthenticated');
    await expectCode(
      forge({ header: { ...header, kid: keyIdOf(otherKey) }, key: otherKey }),
      'unauthenticated',
    );
  });

  it('with one changed character is refused although the good one is cached', async () => {
    const token = forge();
    await verify(token);
    const [header, , signature] = token.split('.');
    const admin = Buffer.from(JSON.stringify({ ...goodClaims, role: 'ADMIN' }));
    await expectCode(`${header}.${admin.toString('base64url')}.${signature}`, 'unauthenticated');
  });
});

describe('expiry', () => {
  it('is told apart from other refusals, beyond 5 s of tolerance, also for a cached token', async () => {
    const token = forge();
    await verify(token);
    nowMs = startMs + 904_999;
    await expect(verify(token)).resolves.toMatchObject({ userId });
    nowMs = startMs + 905_000;
    await expectCode(token, 'token-expired');
  });

  it('of 1 s with a life of 1 s and the tolerance passed is refused', async () => {
    const iat = startMs / 1000 - 10;
    await expectCode(forge({ claims: { iat, exp: iat + 4 } }), 'token-expired');
  });

  it('tolerates a clock that is 5 s ahead', async () => {
    const iat = startMs / 1000 + 5;
    await expect(verify(forge({ claims: { iat, exp: iat + 900 } }))).resolves.toBeDefined();
  });
});

describe('keys', () => {
  it('are fetched once for many verifications at the same time', async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => verify(forge({ claims: { jti: `t${i}` } }))),
    );
    expect(fetches).toBe(1);
  });

  it('are fetched anew for an unknown kid, at most once per 5 s', async () => {
    await verify(forge());
    const rotated = forge({ header: { kid: keyIdOf(otherKey) }, key: otherKey });
    published = { keys: [publicJwk(otherKey)] };
    await expectCode(rotated, 'unauthenticated');
    expect(fetches).toBe(1);
    nowMs += 5_000;
    await expect(verify(rotated)).resolves.toBeDefined();
    expect(fetches).toBe(2);
  });

  it('that were withdrawn end the cached tokens that they signed', async () => {
    await verify(forge());
    published = { keys: [publicJwk(otherKey)] };
    nowMs += 5_000;
    await verify(forge({ header: { kid: keyIdOf(otherKey) }, key: otherKey }));
    nowMs += 5_000;
    await expectCode(forge(), 'unauthenticated');
  });

  it('that cannot be had are no verdict about the token', async () => {
    published = new Error('refused');
    await expectCode(forge(), 'dependency-unavailable');
    published = { keys: [publicJwk(privateKey)] };
    await expectCode(forge(), 'dependency-unavailable');
    nowMs += 1_000;
    await expect(verify(forge())).resolves.toBeDefined();
  });

  it('once fetched outlive the auth-service', async () => {
    await verify(forge());
    published = new Error('refused');
    nowMs += 60_000;
    await expect(verify(forge({ claims: { jti: 'later' } }))).resolves.toBeDefined();
  });

  it('of other kinds or too short are left out', async () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    published = {
      keys: [{ kty: 'EC', kid: 'x' }, 'nonsense', publicJwk(short), publicJwk(privateKey)],
    };
    await expect(verify(forge())).resolves.toBeDefined();
    await expectCode(forge({ header: { kid: keyIdOf(short) }, key: short }), 'unauthenticated');
  });

  it('are named as in RFC 7638, section 3.1', async () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' });
    expect(keyIdOf(key)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });
});
