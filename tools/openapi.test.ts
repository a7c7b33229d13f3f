import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { route } from '@quicksale/shared/http';
import { compareWithDocs } from './answers-seen.ts';
import { describeOperation } from './describe-operation.ts';
import { allRoutes, openApiDocument, openApiText } from './openapi.ts';

const committed = new URL('../gateway/src/pages/openapi.json', import.meta.url);

describe('the API docs', () => {
  it('are what the contracts say (node tools/openapi.ts > gateway/src/pages/openapi.json)', () => {
    expect(readFileSync(committed, 'utf8')).toBe(openApiText());
  });

  it('name every call once, and every schema that they point at', () => {
    const ids = allRoutes.map(({ spec }) => spec.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const { components } = openApiDocument() as { components: { schemas: object } };
    const pointed = openApiText().matchAll(/"#\/components\/schemas\/(\w+)"/g);
    for (const [, name] of pointed) expect(Object.keys(components.schemas)).toContain(name);
  });
});

describe('an operation with a raw body', () => {
  it('says that it takes JSON, not what is in it, and how it refuses', () => {
    const { spec } = route(
      {
        ...{ operationId: 'hear', method: 'post', path: '/hear', summary: 's', access: 'public' },
        rawBody: true,
        replies: { 204: undefined },
      } as const,
      async () => ({ status: 204 }),
    );
    const { requestBody, responses } = describeOperation(spec, 'x', new Map());
    expect(requestBody).toEqual({ required: true, content: { 'application/json': {} } });
    expect(Object.keys(responses as object)).toEqual(['204', '413', '415', 'default']);
  });
});

describe('answers against the API docs', () => {
  const { spec, handle } = route(
    {
      ...{ operationId: 'readThing', method: 'get', path: '/things/:id', summary: 's' },
      access: 'public',
      params: z.object({ id: z.string() }),
      replies: { 200: z.object({}), 304: undefined },
      errors: ['not-found', 'dependency-unavailable'],
    } as const,
    async () => ({ status: 304 }),
  );
  const given = { operationId: 'readThing' };
  const all = [
    { ...given, status: 200 },
    { ...given, status: 304 },
    { ...given, status: 400, code: 'validation-failed' },
    { ...given, status: 404, code: 'not-found' },
  ];
  const wrong = (seen: Parameters<typeof compareWithDocs>[1]) =>
    compareWithDocs([{ spec, handle }], seen);

  it('agree when each documented one is seen', () => {
    expect(wrong([...all, { ...given, status: 503, code: 'dependency-unavailable' }])).toEqual([]);
  });

  it('do not when one is never seen, is in no contract, or does not fit', () => {
    expect(wrong(all.slice(1))).toEqual(['readThing: no test has seen its 200']);
    expect(wrong([...all, { ...given, status: 409, code: 'sold-out' }])).toEqual([
      'readThing: 409 sold-out is not documented',
    ]);
    expect(wrong([...all, { ...given, status: 200, complaint: 'has more' }])).toEqual([
      'readThing: an answer 200 has more',
    ]);
  });
});
