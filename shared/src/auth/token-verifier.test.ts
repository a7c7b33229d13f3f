import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type KeyObject,
} from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import jwt from 'jsonwebtoken';
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

const newVerifier = (size: { cachedTokens?: number } = {}) =>
  createTokenVerifier({
    ...size,
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
afterEach(() => {
  jest.restoreAllMocks();
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
  /** With the right key, but another algorithm than the one that is agreed on. */
  const signedAs = (alg: string, { hash, isPss }: { hash: string; isPss?: boolean }) => {
    const content = forge({ header: { alg } }).split('.').slice(0, 2).join('.');
    const { RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST } = constants;
    const padding = { padding: RSA_PKCS1_PSS_PADDING, saltLength: RSA_PSS_SALTLEN_DIGEST };
    const signer = { key: privateKey, ...(isPss && padding) };
    return `${content}.${sign(hash, Buffer.from(content), signer).toString('base64url')}`;
  };
  const thumbprint = 'A'.repeat(43);
  /** A header that names two algorithms, with no signature: parsers differ in which one counts. */
  const twice = (first: string, second: string) => {
    const header = `{"alg":"${first}","typ":"at+jwt","kid":"${kid}","alg":"${second}"}`;
    return `${Buffer.from(header).toString('base64url')}.${forge().split('.')[1]}.`;
  };

  it.each<[string, string]>([
    ['alg none', forge({ header: { alg: 'none' }, signature: '' })],
    ['alg none, signed', forge({ header: { alg: 'none' } })],
    ['HS256 with the public key as secret', hmacToken()],
    ['alg in lower case', forge({ header: { alg: 'rs256' } })],
    ['RS512, well signed', signedAs('RS512', { hash: 'sha512' })],
    ['PS256, well signed', signedAs('PS256', { hash: 'sha256', isPss: true })],
    ['no alg', forge({ header: { alg: undefined } })],
    ['a list of algs', forge({ header: { alg: ['RS256', 'none'] } })],
    ['alg twice, the good one last', `${twice('none', 'RS256')}`],
    ['alg twice, the good one first', `${twice('RS256', 'none')}`],
    ['typ JWT', forge({ header: { typ: 'JWT' } })],
    ['typ of a refresh token', forge({ header: { typ: 'rt+jwt' } })],
    ['no typ', forge({ header: { typ: undefined } })],
    ['crit', forge({ header: { crit: ['exp'] } })],
    ['crit with a name that nobody knows', forge({ header: { crit: ['urn:x'], 'urn:x': 1 } })],
    ['crit with nothing in it', forge({ header: { crit: [] } })],
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
    ['sub as a list', forge({ claims: { sub: [userId] } })],
    ['iss as a list', forge({ claims: { iss: ['quicksale'] } })],
    ['no iss', forge({ claims: { iss: undefined } })],
    ['no aud', forge({ claims: { aud: undefined } })],
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

  it.each<[unknown]>([
    ['../../etc/passwd'],
    ['/dev/null'],
    ["' OR 1=1 --"],
    ['x\u0000'],
    ['__proto__'],
    ['constructor'],
    ['toString'],
    ['http://attacker.invalid/'],
    [`${kid}\n`],
    [''],
    [null],
    [{ $ne: null }],
    [[kid]],
    [['__proto__']],
  ])('kid %j is refused without a fetch', async (badKid) => {
    await expectCode(forge({ header: { kid: badKid } }), 'unauthenticated');
    expect(fetches).toBe(0);
  });

  it('cannot bring its own key in jwk, jku, x5u or x5c, nor have it fetched', async () => {
    const asked: string[] = [];
    jest.spyOn(globalThis, 'fetch').mockImplementation(async (url) => {
      asked.push(url instanceof Request ? url.url : String(url));
      const key = asked.at(-1)?.includes('attacker') ? otherKey : privateKey;
      return Response.json({ keys: [publicJwk(key)] });
    });
    const clock = { now: () => (nowMs += 60_000) };
    const jwksUrl = 'http://auth.invalid/jwks.json';
    verify = createTokenVerifier({ jwksUrl, issuer: 'quicksale', audience: 'shop', clock });
    const header = {
      jwk: publicJwk(otherKey),
      jku: 'http://attacker.invalid/',
      x5u: 'http://attacker.invalid/',
      x5c: [createPublicKey(otherKey).export({ type: 'spki', format: 'der' }).toString('base64')],
    };
    await expectCode(forge({ header, key: otherKey }), 'unauthenticated');
    await expectCode(
      forge({ header: { ...header, kid: keyIdOf(otherKey) }, key: otherKey }),
      'unauthenticated',
    );
    expect(asked).toEqual([jwksUrl, jwksUrl]);
  });

  it('with one changed character is refused although the good one is cached', async () => {
    const token = forge();
    await verify(token);
    const [header, , signature] = token.split('.');
    const admin = Buffer.from(JSON.stringify({ ...goodClaims, role: 'ADMIN' }));
    await expectCode(`${header}.${admin.toString('base64url')}.${signature}`, 'unauthenticated');
  });
});

describe('the memory of verified tokens', () => {
  /** Counts what is verified anew, which is what memory would have spared. */
  const countVerifications = () => jest.spyOn(jwt, 'verify');
  const oneOf = (n: number) => forge({ claims: { jti: `t${n}` } });

  it('has room for so many and forgets the one that was not used for longest', async () => {
    verify = newVerifier({ cachedTokens: 3 });
    const tokens = [1, 2, 3, 4].map(oneOf);
    for (const token of tokens) await verify(token);
    const verified = countVerifications();
    for (const token of tokens.slice(1)) await verify(token);
    expect(verified).toHaveBeenCalledTimes(0);
    await verify(tokens[0] ?? '');
    expect(verified).toHaveBeenCalledTimes(1);
  });

  it('keeps no forged one, so that none of them drives a good one out', async () => {
    verify = newVerifier({ cachedTokens: 3 });
    const good = [1, 2, 3].map(oneOf);
    for (const token of good) await verify(token);
    const verified = countVerifications();
    for (let n = 0; n < 100; n += 1) {
      const [header, payload] = oneOf(n).split('.');
      const signature = Buffer.alloc(256, n + 1).toString('base64url');
      await expectCode(`${header}.${payload}.${signature}`, 'unauthenticated');
    }
    // Properly signed, but not good: of another issuer, without an end.
    for (const claims of [{ iss: 'other' }, { exp: undefined }, { role: 'ROOT' }])
      for (let n = 0; n < 2; n += 1) await expectCode(forge({ claims }), 'unauthenticated');
    expect(verified).toHaveBeenCalledTimes(106);
    for (const token of good) await verify(token);
    expect(verified).toHaveBeenCalledTimes(106);
  });

  it('tells users apart who differ in nothing but the subject', async () => {
    const other = '65a000000000000000000002';
    for (let round = 0; round < 2; round += 1) {
      await expect(verify(forge())).resolves.toMatchObject({ userId });
      await expect(verify(forge({ claims: { sub: other } }))).resolves.toMatchObject({
        userId: other,
      });
    }
  });

  it('ends with the token: from exp on nothing is taken from memory', async () => {
    const token = forge();
    await verify(token);
    const verified = countVerifications();
    nowMs = startMs + 899_999;
    await verify(token);
    expect(verified).toHaveBeenCalledTimes(0);
    nowMs = startMs + 900_000;
    await verify(token);
    expect(verified).toHaveBeenCalledTimes(1);
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

  it('of 1 s more than the tolerance is refused', async () => {
    const iat = startMs / 1000 - 10;
    await expectCode(forge({ claims: { iat, exp: iat + 4 } }), 'token-expired');
    await expect(verify(forge({ claims: { iat, exp: iat + 6 } }))).resolves.toBeDefined();
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
