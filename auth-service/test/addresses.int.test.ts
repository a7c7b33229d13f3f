import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { newId } from '@quicksale/shared/testing';
import { somebody, startAuth, type AuthFixture } from './auth-fixture.ts';

jest.setTimeout(60_000);

let fixture: AuthFixture;
beforeAll(async () => {
  fixture = await startAuth();
}, 60_000);
afterAll(() => fixture.stop());

const path = '/api/users/me/addresses';
const home = { line1: '1 Long Road', city: 'Oslo', postalCode: '0150', country: 'NO' };

/** Somebody new, and what they can do with their addresses. */
async function givenPerson() {
  const { app } = fixture.service;
  const { body } = await request(app).post('/api/auth/register').send(somebody());
  const authorization = `Bearer ${(body as { accessToken: string }).accessToken}`;
  const as = (test: request.Test) => test.set('Authorization', authorization);
  return {
    list: async () => {
      const { body: list } = await as(request(app).get(path));
      return (list as { data: { id: string; line1: string }[] }).data;
    },
    add: (body: object | string = home) => as(request(app).post(path)).send(body),
    change: (id: string, body: object | string) => as(request(app).put(`${path}/${id}`)).send(body),
    remove: (id: string) => as(request(app).delete(`${path}/${id}`)),
  };
}
const idOf = ({ body }: request.Response) => (body as { id: string }).id;
const codeOf = ({ status, body }: request.Response) => [status, (body as { code?: string }).code];

describe('addresses', () => {
  it('are kept, listed in their order, changed and forgotten', async () => {
    const person = await givenPerson();
    expect(await person.list()).toEqual([]);
    const added = await person.add({ ...home, name: 'Kari', label: 'Home' });
    const id = idOf(added);
    expect(added.status).toBe(201);
    expect(added.headers.location).toBe(`${path}/${id}`);
    expect(added.body).toEqual({ ...home, name: 'Kari', label: 'Home', id });
    const second = await person.add({ ...home, line1: '2 Short Road' });
    expect(await person.list()).toEqual([added.body, second.body]);

    // Written anew: what is not said again is gone.
    const changed = await person.change(id, { ...home, city: 'Bergen' });
    expect([changed.status, changed.body]).toEqual([200, { ...home, city: 'Bergen', id }]);
    expect(await person.list()).toEqual([changed.body, second.body]);

    expect((await person.remove(id)).status).toBe(204);
    expect(await person.list()).toEqual([second.body]);
    expect(codeOf(await person.remove(id))).toEqual([404, 'not-found']);
    expect(codeOf(await person.change(id, home))).toEqual([404, 'not-found']);
  });

  it('of somebody else do not exist', async () => {
    const [owner, stranger] = [await givenPerson(), await givenPerson()];
    const id = idOf(await owner.add());
    expect(await stranger.list()).toEqual([]);
    expect(codeOf(await stranger.change(id, { ...home, city: 'X' }))).toEqual([404, 'not-found']);
    expect(codeOf(await stranger.remove(id))).toEqual([404, 'not-found']);
    expect(await owner.list()).toEqual([{ ...home, id }]);
  });

  it('are at most twenty, and none is lost, also when the last come at once', async () => {
    const person = await givenPerson();
    const numbered = (number: number) => person.add({ ...home, line1: `${number} Long Road` });
    const made: string[] = [];
    for (let number = 1; number <= 16; number += 1) made.push(idOf(await numbered(number)));
    const last = await Promise.all([17, 18, 19, 20, 21, 22].map(numbered));
    const refused = last.filter(({ status }) => status !== 201);
    expect(refused.map(codeOf)).toEqual(Array(2).fill([400, 'validation-failed']));
    expect((refused[0]?.body as { detail: string }).detail).toContain('You have 20 addresses');
    made.push(...last.filter(({ status }) => status === 201).map(idOf));
    expect((await person.list()).map(({ id }) => id).sort()).toEqual(made.sort());

    // Changes and removals at once: each of them counts.
    const [first = '', second = '', ...others] = made;
    const all = await Promise.all([
      person.change(first, { ...home, line1: 'first' }),
      person.change(second, { ...home, line1: 'second' }),
      ...others.slice(0, 4).map((id) => person.remove(id)),
    ]);
    expect(all.map(({ status }) => status)).toEqual([200, 200, 204, 204, 204, 204]);
    const left = await person.list();
    expect(left.map(({ id }) => id).sort()).toEqual([first, second, ...others.slice(4)].sort());
    expect(left.find(({ id }) => id === first)?.line1).toBe('first');
    expect(left.find(({ id }) => id === second)?.line1).toBe('second');
  });

  it('of a new user that come at once are all kept', async () => {
    const person = await givenPerson();
    const answers = await Promise.all([1, 2, 3, 4].map(() => person.add()));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(await person.list()).toHaveLength(4);
  });

  it.each([
    ['a field that nobody knows', { ...home, isHome: true }],
    ['an id of its own', { ...home, id: newId() }],
    ['no city', { ...home, city: ' ' }],
    ['a country in words', { ...home, country: 'Norway' }],
    ['a label that is too long', { ...home, label: 'x'.repeat(51) }],
    ['nothing', {}],
  ])('with %s are not kept', async (_name, body) => {
    const person = await givenPerson();
    expect(codeOf(await person.add(body))).toEqual([400, 'validation-failed']);
    const id = idOf(await person.add());
    expect(codeOf(await person.change(id, body))).toEqual([400, 'validation-failed']);
    expect(await person.list()).toEqual([{ ...home, id }]);
  });

  it('come as JSON of a size that a person can write', async () => {
    const person = await givenPerson();
    const large = { ...home, line1: 'x'.repeat(17_000) };
    const id = newId();
    expect(codeOf(await person.add(large))).toEqual([413, 'payload-too-large']);
    expect(codeOf(await person.change(id, large))).toEqual([413, 'payload-too-large']);
    const plain = [person.add('a').type('text/plain'), person.change(id, 'a').type('text/plain')];
    for (const one of plain) expect(codeOf(await one)).toEqual([415, 'unsupported-media-type']);
    expect(codeOf(await person.remove('x'))).toEqual([400, 'validation-failed']);
  });

  it.each(['get', 'post', 'put', 'delete'] as const)(
    'are shown to nobody who has not signed in: %s',
    async (method) => {
      const one = method === 'put' || method === 'delete' ? `/${newId()}` : '';
      const answer = await request(fixture.service.app)[method](path + one);
      expect(codeOf(answer)).toEqual([401, 'unauthenticated']);
    },
  );
});
