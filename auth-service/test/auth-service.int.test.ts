import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import jwt from 'jsonwebtoken';
import request from 'supertest';
import { testNamespace } from '@quicksale/shared/testing';
import type { AuthService } from '../src/service.ts';
import { internalKey, password, somebody, startAuth } from './auth-fixture.ts';

const namespace = testNamespace('auth');
let offsetMs = 0;
let service: AuthService;
let stop: () => Promise<void>;
let build: (changes: Record<string, string>) => AuthService;

beforeAll(async () => {
  ({ service, stop, build } = await startAuth({
    namespace,
    clock: { now: () => Date.now() + offsetMs },
  }));
}, 60_000);
afterAll(() => stop());

const post = (path: string, body: object) => request(service.app).post(path).send(body);
const register = async (changes: object = {}) => {
  const person = { ...somebody(), ...changes };
  return { person, reply: await post('/api/auth/register', person) };
};
const refresh = (refreshToken: string) => post('/api/auth/refresh', { refreshToken });

describe('registering', () => {
  it('answers with the fixed shape and tokens that work', async () => {
    const { person, reply } = await register();
    expect(reply.status).toBe(201);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.body).toEqual({
      message: 'User registered successfully',
      user: {
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        email: person.email,
        firstName: 'Some',
        lastName: 'Body',
        role: 'CUSTOMER',
      },
      accessToken: expect.any(String),
      refreshToken: expect.any(String),
    });
    const me = await request(service.app)
      .get('/api/users/me')
      .set('Authorization', `Bearer ${reply.body.accessToken}`);
    expect(me.body).toEqual(reply.body.user);
    const { header, payload } = jwt.decode(reply.body.accessToken, { complete: true }) ?? {};
    expect(header).toMatchObject({ alg: 'RS256', typ: 'at+jwt' });
    const claims = payload as jwt.JwtPayload;
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(900);
    const jwks = await request(service.app).get('/.well-known/jwks.json');
    expect(jwks.body.keys[0].kid).toBe(header?.kid);
    expect(Object.keys(jwks.body.keys[0]).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
  });

  it('takes merchants, or not where that is switched off', async () => {
    const { reply } = await register({ role: 'MERCHANT' });
    expect(reply.body.user.role).toBe('MERCHANT');
    const closed = build({ MERCHANT_SIGN_UP: 'off' });
    const refused = await request(closed.app)
      .post('/api/auth/register')
      .send({ ...somebody(), role: 'MERCHANT' });
    expect(refused.status).toBe(403);
  });

  it.each([
    [{ role: 'ADMIN' }, '/role'],
    [{ role: 'SUPPORT' }, '/role'],
    [{ isAdmin: true }, '/isAdmin'],
    [{ passwordHash: 'x' }, '/passwordHash'],
    [{ email: { $gt: '' } }, '/email'],
    [{ password: 'short' }, '/password'],
  ])('with %j is a 400 that names the field', async (changes, pointer) => {
    const { reply } = await register(changes);
    expect(reply.status).toBe(400);
    expect(reply.body.errors).toMatchObject([{ pointer }]);
  });

  it('one address twenty times at once, in any spelling, makes one account', async () => {
    const person = somebody();
    const spellings = [person.email, person.email.toLowerCase(), person.email.toUpperCase()];
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        post('/api/auth/register', { ...person, email: spellings[i % 3] }),
      ),
    );
    expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1);
    const others = replies.filter((reply) => reply.status !== 201);
    expect(new Set(others.map((reply) => reply.body.code as string))).toEqual(
      new Set(['email-taken']),
    );
  }, 30_000);
});

describe('logging in', () => {
  it('works in any spelling of the address', async () => {
    const { person } = await register();
    const reply = await post('/api/auth/login', { email: person.email.toUpperCase(), password });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ message: 'Login successful', user: { role: 'CUSTOMER' } });
    expect(reply.headers['ratelimit-policy']).toBe('"login";q=5;w=60');
  });

  it('tells a wrong password from an unknown address by nothing', async () => {
    const { person } = await register();
    const wrong = await post('/api/auth/login', { email: person.email, password: 'wrong' });
    const unknown = await post('/api/auth/login', { email: somebody().email, password: 'wrong' });
    const visible = ({ status, body }: request.Response) => ({
      status,
      body: { ...body, requestId: '' },
    });
    expect(visible(wrong)).toMatchObject({ status: 401, body: { code: 'invalid-credentials' } });
    expect(visible(unknown)).toEqual(visible(wrong));
  });

  it('is limited per address and account, whatever the spelling, before any hashing', async () => {
    const { person } = await register();
    const tries = [1, 2, 3, 4, 5, 6].map(async (i) => {
      const email = i % 2 ? person.email : person.email.toLowerCase();
      const reply = await post('/api/auth/login', { email, password: 'wrong' });
      return reply.status;
    });
    expect((await Promise.all(tries)).sort()).toEqual([401, 401, 401, 401, 401, 429]);
    const owner = await request(service.app)
      .post('/api/auth/login')
      .set('X-Forwarded-For', '203.0.113.9')
      .send({ email: person.email, password });
    expect(owner.status).toBe(200);
  });

  it('cannot be asked with an operator', async () => {
    const reply = await post('/api/auth/login', { email: { $gt: '' }, password: { $gt: '' } });
    expect(reply.body.errors).toMatchObject([{ pointer: '/email' }, { pointer: '/password' }]);
  });
});

describe('refreshing', () => {
  it('rotates: each token leads to the next', async () => {
    const { reply } = await register();
    let token: string = reply.body.refreshToken;
    const seen = new Set([token]);
    for (let i = 0; i < 3; i += 1) {
      const next = await refresh(token);
      expect(next.status).toBe(200);
      expect(Object.keys(next.body).sort()).toEqual(['accessToken', 'refreshToken']);
      token = next.body.refreshToken;
      seen.add(token);
    }
    expect(seen.size).toBe(4);
  });

  it('twenty times at once gives everybody the same successor, which works', async () => {
    const { reply } = await register();
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => refresh(reply.body.refreshToken)),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    const successors = new Set(replies.map(({ body }) => body.refreshToken as string));
    expect(successors.size).toBe(1);
    for (const successor of successors) expect((await refresh(successor)).status).toBe(200);
  });

  it('with an old token after the grace ends the whole family', async () => {
    const { reply } = await register();
    const { body } = await refresh(reply.body.refreshToken);
    try {
      offsetMs = 11_000;
      const reused = await refresh(reply.body.refreshToken);
      expect(reused.status).toBe(401);
      expect(reused.body.code).toBe('unauthenticated');
      expect((await refresh(body.refreshToken)).status).toBe(401);
    } finally {
      offsetMs = 0;
    }
  });

  it('ends after 30 days', async () => {
    const { reply } = await register();
    try {
      offsetMs = 30 * 24 * 3_600_000 + 1_000;
      expect((await refresh(reply.body.refreshToken)).status).toBe(401);
    } finally {
      offsetMs = 0;
    }
  });

  it('takes no access token, no guess, and a guess ends nothing', async () => {
    const { reply } = await register();
    const token: string = reply.body.refreshToken;
    const guess = `${token.slice(0, 16)}${'A'.repeat(64)}`;
    expect((await refresh(reply.body.accessToken)).status).toBe(400);
    expect((await refresh(guess)).status).toBe(401);
    expect((await post('/api/auth/logout', { refreshToken: guess })).status).toBe(204);
    expect((await refresh(token)).status).toBe(200);
  });

  it('keeps no token in the database', async () => {
    const { reply } = await register();
    const { body } = await refresh(reply.body.refreshToken);
    const { default: mongoose } = await import('mongoose');
    const connection = await mongoose
      .createConnection(process.env.MONGO_URL ?? '', { dbName: `quicksale_${namespace}` })
      .asPromise();
    const stored = JSON.stringify(await connection.collection('sessions').find().toArray());
    await connection.close();
    for (const token of [reply.body.refreshToken, body.refreshToken] as string[]) {
      const secret = Buffer.from(token, 'base64url').subarray(12, 44);
      expect(stored).not.toContain(secret.toString('base64url'));
      expect(stored).not.toContain(token.slice(16, 56));
    }
  });
});

describe('logging out', () => {
  it('ends the session, with any of its tokens, and is no error the second time', async () => {
    const { reply } = await register();
    const { body } = await refresh(reply.body.refreshToken);
    const logout = () => post('/api/auth/logout', { refreshToken: reply.body.refreshToken });
    expect((await logout()).status).toBe(204);
    expect((await logout()).status).toBe(204);
    expect((await refresh(body.refreshToken)).status).toBe(401);
  });
});

describe('who am I', () => {
  it('is the token alone, never a header', async () => {
    const reply = await request(service.app).get('/api/users/me').set('X-User-Id', 'a'.repeat(24));
    expect(reply.status).toBe(401);
    expect(reply.headers['www-authenticate']).toBe('Bearer');
  });

  it('takes no refresh token', async () => {
    const { reply } = await register();
    const me = await request(service.app)
      .get('/api/users/me')
      .set('Authorization', `Bearer ${reply.body.refreshToken}`);
    expect(me.body.code).toBe('unauthenticated');
  });

  it('tells an expired token apart', async () => {
    const { reply } = await register();
    try {
      offsetMs = 15 * 60_000 + 6_000;
      const me = await request(service.app)
        .get('/api/users/me')
        .set('Authorization', `Bearer ${reply.body.accessToken}`);
      expect(me.body.code).toBe('token-expired');
    } finally {
      offsetMs = 0;
    }
  });
});

describe('administrators', () => {
  const create = (key: string | undefined, body: object) =>
    request(`http://127.0.0.1:${service.adminPort()}`)
      .post('/internal/admins')
      .set(key ? { 'X-Internal-Key': key } : {})
      .send(body);

  it('are made on the admin port with the internal key only', async () => {
    const person = somebody();
    expect((await create(undefined, person)).status).toBe(401);
    expect((await create('wrong', person)).status).toBe(401);
    const made = await create(internalKey, person);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ user: { role: 'ADMIN', email: person.email } });
    expect((await create(internalKey, person)).body.code).toBe('email-taken');
    const onPublicPort = await post('/internal/admins', somebody()).set(
      'X-Internal-Key',
      internalKey,
    );
    expect(onPublicPort.status).toBe(404);
  });
});
