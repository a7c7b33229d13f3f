import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { roles, type Role } from '@quicksale/shared/contracts';
import { readApiDocument, type Operation } from './api-document.ts';
import { fillIn, readHttpFile } from './http-file.ts';
import { exampleBody, withIds } from './request-arbitraries.ts';
import { startSystem, type System } from './system.ts';

const someId = '65a000000000000000000001';
const tooLarge = JSON.stringify({ text: 'x'.repeat(17 * 1024) });

/** What each call refuses by its contract alone, before it looks at anything that is stored. */
interface Refusal {
  name: string;
  applies: (operation: Operation) => boolean;
  /** Changes a request that is good as far as this refusal can tell. */
  change: (request: Request, operation: Operation) => Request;
  expected: string;
}

interface Request {
  token: string | undefined;
  id: string;
  query: string;
  headers: Record<string, string>;
  body: string | undefined;
}

const header = (operation: Operation, name: string) =>
  operation.parameters.find((one) => one.in === 'header' && one.name === name);
const isAdmitted = (operation: Operation, role: Role) =>
  operation.roles.length === 0 || operation.roles.includes(role);

/** A body of which only its signature is looked at, whatever is in it. */
const isSigned = ({ body }: Operation) => body !== undefined && Object.keys(body).length === 0;
const hasFields = (operation: Operation) => operation.body !== undefined && !isSigned(operation);
const idInPath = /\{(id|productId)\}/;

const refusals: readonly Refusal[] = [
  {
    name: 'no token',
    applies: ({ needsToken }) => needsToken,
    change: (request) => ({ ...request, token: undefined }),
    expected: '401 unauthenticated',
  },
  {
    name: 'a token that nobody signed',
    applies: ({ needsToken }) => needsToken,
    change: (request) => ({ ...request, token: `${request.token?.slice(0, -8)}AAAAAAAA` }),
    expected: '401 unauthenticated',
  },
  {
    name: 'an id that is none',
    applies: ({ path }) => idInPath.test(path),
    change: (request) => ({ ...request, id: 'nonsense' }),
    expected: '400 validation-failed',
  },
  {
    name: 'an unknown query field',
    applies: ({ parameters }) => parameters.some((one) => one.in === 'query'),
    change: (request) => ({ ...request, query: '?fields=$password' }),
    expected: '400 validation-failed',
  },
  {
    name: 'an unknown field',
    applies: hasFields,
    change: (request) => ({ ...request, body: '{"isAdmin":true}' }),
    expected: '400 validation-failed',
  },
  {
    name: 'a body that is no JSON',
    applies: hasFields,
    change: (request) => ({ ...request, body: '{"a":' }),
    expected: '400 malformed-json',
  },
  {
    name: 'a body of another type',
    applies: hasFields,
    change: (request) => ({
      ...request,
      headers: { ...request.headers, 'content-type': 'text/plain' },
    }),
    expected: '415 unsupported-media-type',
  },
  {
    name: 'a body that is too large',
    applies: ({ body }) => body !== undefined,
    change: (request) => ({ ...request, body: tooLarge }),
    expected: '413 payload-too-large',
  },
  {
    name: 'no Idempotency-Key',
    applies: (operation) => header(operation, 'Idempotency-Key')?.required ?? false,
    change: ({ headers: { 'idempotency-key': _, ...headers }, ...rest }) => ({ ...rest, headers }),
    expected: '400 idempotency-key-required',
  },
  {
    name: 'an Idempotency-Key that is too long',
    applies: (operation) => header(operation, 'Idempotency-Key') !== undefined,
    change: (request) => ({
      ...request,
      headers: { ...request.headers, 'idempotency-key': 'k'.repeat(256) },
    }),
    expected: '400 idempotency-key-invalid',
  },
];

describe('the API docs', () => {
  let system: System;
  let operations: Operation[];
  beforeAll(async () => {
    system = await startSystem({
      name: 'apidocs',
      settings: {
        RATE_LIMIT_DEFAULT: '100000/60',
        RATE_LIMIT_STRANGERS: '100000/60',
        RATE_LIMIT_REGISTER: '100000/60',
      },
    });
    operations = await readApiDocument(system);
  }, 120_000);
  afterAll(() => system?.stop(), 60_000);

  const serviceOf = (path: string) => {
    if (/^\/api\/(merchant|orders|cart|payments)/.test(path)) return system.env.ORDER_SERVICE_URL;
    if (/^\/api\/(inventory|sales)/.test(path)) return system.env.INVENTORY_SERVICE_URL;
    return system.env.AUTH_SERVICE_URL;
  };

  async function send(base: string, operation: Operation, request: Request) {
    const { token, id, query, headers, body } = request;
    const path = operation.path.replace(idInPath, id).replace('{provider}', 'simulator') + query;
    const answer = await fetch(base + path, {
      method: operation.method.toUpperCase(),
      headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) },
      ...(body !== undefined && { body }),
    });
    const type = answer.headers.get('content-type') ?? '';
    const text = await answer.text();
    const answered = text ? (JSON.parse(text) as { code?: string }) : undefined;
    return {
      answer: `${answer.status} ${answered?.code}`,
      judgement: operation.judge(answer.status, type, answered),
    };
  }

  const good = (operation: Operation, role: Role): Request => ({
    token: operation.needsToken ? system.signIn(role).token : undefined,
    id: someId,
    query: '',
    headers: {
      ...(header(operation, 'Idempotency-Key') && { 'idempotency-key': 'k' }),
      ...(operation.body && { 'content-type': 'application/json' }),
    },
    body:
      operation.body &&
      JSON.stringify(
        withIds(exampleBody(operation), (kind) => (kind === 'hold' ? someId + someId : someId)),
      ),
  });

  it.each(refusals)('$name: refused by every call, as documented', async (refusal) => {
    const { applies, change, expected } = refusal;
    const concerned = operations.filter(applies);
    expect(concerned.length).toBeGreaterThan(2);
    for (const operation of concerned) {
      const role = isAdmitted(operation, 'CUSTOMER') ? 'CUSTOMER' : 'MERCHANT';
      const request = change(good(operation, role), operation);
      // The gateway refuses some itself; a service must not lean on that.
      for (const base of [system.env.GATEWAY_URL, serviceOf(operation.path)]) {
        const { answer, judgement } = await send(base ?? '', operation, request);
        expect([operation.operationId, answer, judgement]).toEqual([
          ...[operation.operationId, expected, undefined],
        ]);
      }
    }
  });

  it('a role that a call is not for is refused', async () => {
    const concerned = operations.filter(({ roles }) => roles.length > 0);
    expect(concerned.length).toBeGreaterThan(10);
    for (const operation of concerned)
      for (const role of roles.filter((one) => !isAdmitted(operation, one))) {
        const answer = await send(
          serviceOf(operation.path) ?? '',
          operation,
          good(operation, role),
        );
        expect([operation.operationId, role, answer]).toEqual([
          ...[operation.operationId, role],
          { answer: '403 forbidden', judgement: undefined },
        ]);
      }
  });

  it('docs/flow.http works from top to bottom', async () => {
    const answers = new Map<string, unknown>();
    const requests = readHttpFile('docs/flow.http');
    expect(requests.length).toBeGreaterThan(10);
    for (const request of requests) {
      const fill = (text: string) => fillIn(text, { host: system.env.GATEWAY_URL ?? '' }, answers);
      const answer = await fetch(fill(request.url), {
        method: request.method,
        headers: Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, fill(value)]),
        ),
        ...(request.body && { body: fill(request.body) }),
      });
      const text = await answer.text();
      expect([request.title, answer.status, text]).toEqual([
        ...[request.title, request.name ? 201 : 200, text],
      ]);
      if (request.name) answers.set(request.name, JSON.parse(text));
    }
  });
});
