import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { AppError, errorRegistry, type ErrorCode } from '../errors/index.ts';
import { createLogger } from '../log/index.ts';
import { createApp } from './create-app.ts';
import { route } from './route.ts';
import { isFinalRefusal } from './stored-answer.ts';

describe('a refusal', () => {
  it.each([
    ['validation-failed', false],
    ['unauthenticated', false],
    ['forbidden', false],
    ['not-found', false],
    ['sold-out', false],
    ['request-in-progress', false],
    ['idempotency-key-reused', false],
    ['rate-limited', false],
    ['order-state-conflict', true],
    ['mixed-sales', true],
  ] as const)('%s is final: %s', (code, isFinal) => {
    expect(isFinalRefusal(new AppError(code))).toBe(isFinal);
  });

  it('is never final when the service is to blame', () => {
    const codes = Object.keys(errorRegistry) as ErrorCode[];
    for (const code of codes.filter((one) => errorRegistry[one].status >= 500))
      expect(isFinalRefusal(new AppError(code))).toBe(false);
  });
});

it.each([
  ['signed-in', false],
  ['public', true],
] as const)('a %s route needs a place and a person to keep answers for', (access, hasStore) => {
  const stored = route(
    {
      operationId: 'x',
      method: 'post',
      path: '/x',
      summary: 'x',
      access,
      idempotent: 'stored',
      replies: { 200: z.object({}) },
    },
    async () => ({ status: 200, body: {} }),
  );
  const build = () =>
    createApp({
      service: 'test',
      version: '0',
      log: createLogger({ service: 'test', level: 'silent' }),
      trustProxyHops: 0,
      routes: [stored],
      verifyAccessToken: () => Promise.reject(new Error('not asked')),
      ...(hasStore && { answerOnce: () => Promise.reject(new Error('not asked')) }),
    });
  expect(build).toThrow('post /x');
});
