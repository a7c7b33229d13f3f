// Loaded by `node --import` into every process that the tests start, see answers-seen.ts: writes down
// which answers the routes gave, and what was wrong with them.
import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { SentAnswer } from '@quicksale/shared/http';

/** A line of the file that QUICKSALE_ANSWERS_FILE names. */
export interface SeenAnswer {
  operationId: string;
  status: number;
  /** Of a problem. */
  code?: string;
  /** What does not fit its schema. */
  complaint?: string;
}

const file = process.env.QUICKSALE_ANSWERS_FILE;
const seen = new Set<string>();

if (file)
  subscribe('quicksale.http.answer', (message) => {
    const line = JSON.stringify(judge(message as SentAnswer));
    if (seen.has(line)) return;
    seen.add(line);
    appendFileSync(file, `${line}\n`);
  });

function judge({ method, spec, status, contentType, body }: SentAnswer): SeenAnswer {
  const answer = { operationId: spec.operationId, status };
  // Without the body that the answer to a GET has.
  if (method === 'HEAD') return answer;
  if (contentType.startsWith('application/problem+json')) {
    const problem = JSON.parse(body) as { status?: number; code?: string };
    return { ...answer, code: String(problem.code) };
  }
  const schema = spec.replies[status];
  if (!(String(status) in spec.replies)) return { ...answer, complaint: 'is in no contract' };
  if (!schema) return body ? { ...answer, complaint: 'has a body' } : answer;
  if (!contentType.startsWith('application/json')) return answer;
  const value: unknown = JSON.parse(body);
  const parsed = schema.safeParse(value);
  if (!parsed.success) return { ...answer, complaint: parsed.error.message.slice(0, 500) };
  // What the schema does not name is taken off by it; printed, since it may be of another realm.
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(parsed.data)), value))
    return { ...answer, complaint: 'has more than its schema says' };
  return answer;
}
