import { hash, verify } from '@node-rs/argon2';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { eventually } from '@quicksale/shared/testing';
import { password, somebody, startAuth, type AuthFixture } from './auth-fixture.ts';

jest.setTimeout(40_000);

/** While the gate is shut, argon2 is at work and does not come to an end. */
const gate = {
  shut: false,
  entered: 0,
  inside: 0,
  mostInside: 0,
  waiting: [] as (() => void)[],
  /** What the next one to come in meets with. */
  failure: undefined as Error | undefined,
};
function openGate() {
  gate.shut = false;
  for (const go of gate.waiting.splice(0)) go();
}
async function gated<T>(work: () => Promise<T>): Promise<T> {
  gate.entered += 1;
  gate.inside += 1;
  gate.mostInside = Math.max(gate.mostInside, gate.inside);
  const { failure } = gate;
  gate.failure = undefined;
  if (gate.shut) await new Promise<void>((go) => gate.waiting.push(go));
  try {
    if (failure) throw failure;
    return await work();
  } finally {
    gate.inside -= 1;
  }
}

let fixture: AuthFixture;
beforeAll(async () => {
  fixture = await startAuth({
    argon2: {
      hash: (text, settings) => gated(() => hash(text, settings)),
      verify: (stored, text) => gated(() => verify(stored, text)),
    },
  });
}, 60_000);
afterAll(() => fixture.stop());
afterEach(openGate);

const post = (path: string, body: string | object) =>
  request(fixture.service.app).post(`/api/auth/${path}`).type('application/json').send(body);
const register = async () => {
  const person = somebody();
  const reply = await post('register', person).expect(201);
  return { person, ...(reply.body as { accessToken: string; refreshToken: string }) };
};

describe('a body that says more than it may', () => {
  const bodies: Record<string, () => object> = {
    register: somebody,
    login: () => ({ email: 'a@example.com', password }),
    refresh: () => ({ refreshToken: 'x' }),
    logout: () => ({ refreshToken: 'x' }),
  };
  const extras = [
    'role',
    'userId',
    '_id',
    'sub',
    'sid',
    'status',
    'expiresAt',
    'emailLower',
    'emailVerified',
    'createdAt',
    '$where',
    'constructor',
    'prototype',
    'email[$ne]',
  ];

  it.each(Object.keys(bodies))('to %s is a 400 that names the field', async (path) => {
    for (const field of extras) {
      const reply = await post(path, { ...bodies[path]?.(), [field]: 'ADMIN' });
      expect([field, reply.status, reply.body.errors]).toEqual([
        field,
        400,
        [expect.objectContaining({ pointer: `/${field}` })],
      ]);
    }
  });

  it.each(Object.keys(bodies))('to %s changes no prototype', async (path) => {
    const fields = JSON.stringify(bodies[path]?.()).slice(1);
    for (const name of ['__proto__', 'constructor'])
      for (const value of ['{"role":"ADMIN"}', '{"prototype":{"role":"ADMIN"}}', 'null', '1']) {
        const reply = await post(path, `{"${name}":${value},${fields}`);
        expect([name, value, reply.status]).toEqual([name, value, 400]);
      }
    expect(({} as { role?: string }).role).toBeUndefined();
    expect((await request(fixture.service.app).get('/health')).body.role).toBeUndefined();
  });

  it.each(Object.keys(bodies))('to %s has no operators', async (path) => {
    const body = bodies[path]?.() ?? {};
    for (const field of Object.keys(body))
      for (const value of [{ $gt: '' }, { $ne: null }, [{ $gt: '' }], ['x'], null, 1, true]) {
        const reply = await post(path, { ...body, [field]: value });
        const errors = (reply.body.errors ?? []) as { pointer: string }[];
        const named = [...new Set(errors.map(({ pointer }) => pointer))];
        expect([value, reply.status, named]).toEqual([value, 400, [`/${field}`]]);
      }
  });

  it('is no body in a query, a form or a text', async () => {
    const { app } = fixture.service;
    const byQuery = request(app).post('/api/auth/login?email[$ne]=&password[$ne]=');
    expect((await byQuery).status).toBe(400);
    const byForm = request(app).post('/api/auth/login').type('form');
    expect((await byForm.send('email[$ne]=&password[$ne]=')).status).toBe(415);
    const byText = request(app).post('/api/auth/login').type('text');
    expect((await byText.send('{"email":{"$ne":null}}')).status).toBe(415);
  });
});

describe('a refresh token', () => {
  const refresh = (refreshToken: string) => post('refresh', { refreshToken });

  it('that was stolen and used after its owner ends the family, on another instance too', async () => {
    const { refreshToken: stolen } = await register();
    let current = stolen;
    for (let n = 0; n < 2; n += 1)
      current = (await refresh(current).expect(200)).body.refreshToken as string;
    // Two steps behind: no grace for it, whoever has it.
    await refresh(stolen).expect(401);
    const twin = fixture.build({});
    await twin.start();
    try {
      const reply = await request(twin.app)
        .post('/api/auth/refresh')
        .send({ refreshToken: current });
      expect([reply.status, reply.body.code]).toEqual([401, 'unauthenticated']);
    } finally {
      await twin.stop();
    }
  });

  it('ends nothing of other sessions, and the access token lives out its minutes', async () => {
    const { person, accessToken, refreshToken } = await register();
    const other = await post('login', { email: person.email, password }).expect(200);
    await post('logout', { refreshToken }).expect(204);
    await refresh(refreshToken).expect(401);
    await refresh(String(other.body.refreshToken)).expect(200);
    const me = request(fixture.service.app).get('/api/users/me');
    await me.set('Authorization', `Bearer ${accessToken}`).expect(200);
  });

  it('is no access token, and an access token is none', async () => {
    const { accessToken, refreshToken } = await register();
    const me = request(fixture.service.app).get('/api/users/me');
    await me.set('Authorization', `Bearer ${refreshToken}`).expect(401);
    expect((await refresh(accessToken)).status).toBe(400);
  });
});

describe('a flood of logins', () => {
  it('hashes two at a time, queues some, refuses the rest, and other work goes on', async () => {
    const { accessToken, refreshToken } = await register();
    Object.assign(gate, { shut: true, entered: 0, mostInside: 0 });
    let refused = 0;
    const flood = Array.from({ length: 120 }, async (_, n) => {
      const reply = await post('login', { email: `nobody${n}@example.com`, password });
      if (reply.status !== 503) return reply.status;
      refused += 1;
      expect(reply.body.code).toBe('overloaded');
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
      return 503;
    });
    await eventually(async () => expect(refused).toBeGreaterThanOrEqual(120 - 66));
    expect(gate.entered).toBe(2);
    // What does no hashing is not in the queue.
    await post('refresh', { refreshToken }).expect(200);
    const me = request(fixture.service.app).get('/api/users/me');
    await me.set('Authorization', `Bearer ${accessToken}`).expect(200);
    await request(fixture.service.app).get('/.well-known/jwks.json').expect(200);
    openGate();
    const statuses = await Promise.all(flood);
    expect(new Set(statuses)).toEqual(new Set([401, 503]));
    expect(gate.mostInside).toBe(2);
    expect(gate.entered).toBeLessThanOrEqual(66);
  });

  it('on one account is stopped before any hashing', async () => {
    const { person } = await register();
    gate.entered = 0;
    const tries = Array.from({ length: 30 }, () =>
      post('login', { email: person.email, password: 'wrong' }),
    );
    const statuses = (await Promise.all(tries)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(5);
    expect(statuses.filter((status) => status === 429)).toHaveLength(25);
    expect(gate.entered).toBe(5);
  });

  it('hashes nothing of a body that is refused', async () => {
    gate.entered = 0;
    await post('register', { ...somebody(), password: 'x'.repeat(129) }).expect(400);
    await post('login', { email: 'a@example.com', password: 'x'.repeat(129) }).expect(400);
    expect(gate.entered).toBe(0);
  });

  it('answers registrations with 503 too when the queue is full, and makes no account', async () => {
    gate.shut = true;
    const person = somebody();
    const flood = Array.from({ length: 66 }, (_, n) =>
      post('login', { email: `somebody${n}@example.org`, password }).then(() => undefined),
    );
    await eventually(async () => expect(gate.inside).toBe(2));
    const more = Array.from({ length: 40 }, () => post('register', person));
    const first = await Promise.race(more);
    expect([first.status, first.body.code]).toEqual([503, 'overloaded']);
    openGate();
    await Promise.all(flood);
    const made = (await Promise.all(more)).filter(({ status }) => status === 201);
    expect(made.length).toBeLessThanOrEqual(1);
  });
});

it('the log has no address, no password and no token, whatever happens', async () => {
  const { lines } = fixture;
  lines.length = 0;
  const { person, accessToken, refreshToken } = await register();
  await post('register', person).expect(409);
  await post('login', { email: person.email, password: 'a wrong one' }).expect(401);
  await post('login', `{"email":"${person.email}","password":"${password}"`).expect(400);
  await post('login', { email: `${person.email}\n{"level":"error"}`, password }).expect(400);
  const next = (await post('refresh', { refreshToken }).expect(200)).body as object;
  await post('refresh', { refreshToken: refreshToken.slice(0, -1) }).expect(401);
  gate.failure = Object.assign(new Error(`no memory to hash for ${person.email}`), { password });
  const broken = await post('login', { email: person.email, password });
  expect([broken.status, broken.body.detail]).toEqual([500, 'Internal error']);
  const written = lines.join('').toLowerCase();
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(JSON.parse(line)).toHaveProperty('msg');
  for (const secret of [
    person.email,
    password,
    'a wrong one',
    'pa55word',
    accessToken,
    refreshToken,
    ...Object.values(next),
  ])
    expect(written).not.toContain(String(secret).toLowerCase());
});
