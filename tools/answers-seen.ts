import { readFileSync } from 'node:fs';
import { errorRegistry, type ErrorCode } from '@quicksale/shared/errors';
import type { Route } from '@quicksale/shared/http';
import { refusalsOf } from './describe-operation.ts';
import type { SeenAnswer } from './watch-answers.ts';

/** Statuses that any route may answer; the docs say so once, under `default`. */
const isAnyones = (status: number) => status >= 500 || [408, 429].includes(status);

/**
 * Compares what the routes answered during all tests with what the API docs say: every documented
 * answer has to be seen, no other may be. Answers what is wrong, a sentence each.
 */
export function compareWithDocs(routes: readonly Route[], seen: readonly SeenAnswer[]): string[] {
  const wrong = new Set<string>();
  for (const { spec } of routes) {
    const own = seen.filter(({ operationId }) => operationId === spec.operationId);
    const documented = new Set<ErrorCode>(refusalsOf(spec));
    const statuses = [
      ...Object.keys(spec.replies).map(Number),
      ...[...documented].map((code) => errorRegistry[code].status),
    ];
    for (const status of new Set(statuses.filter((one) => !isAnyones(one))))
      if (!own.some((answer) => answer.status === status))
        wrong.add(`${spec.operationId}: no test has seen its ${status}`);
    for (const { status, code, complaint } of own) {
      if (complaint) wrong.add(`${spec.operationId}: an answer ${status} ${complaint}`);
      if (code && !isAnyones(status) && !documented.has(code as ErrorCode))
        wrong.add(`${spec.operationId}: ${status} ${code} is not documented`);
    }
  }
  return [...wrong].sort();
}

/** The lines that tools/watch-answers.ts has written. */
export const readSeenAnswers = (file: string): SeenAnswer[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SeenAnswer);
