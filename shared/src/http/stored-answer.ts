import type { Request, Response } from 'express';
import { AppError, errorRegistry, type ErrorCode } from '../errors/index.ts';
import type { AnswerOnce } from '../idempotency/answer-once.ts';
import type { KeyClaim, StoredAnswer } from '../idempotency/answer-store.ts';
import { problemOf } from './problem.ts';
import { replyText, type SentReply } from './sent-reply.ts';

/** Statuses of refusals after which the same request may be sent again: nothing has happened. */
const passingStatuses: ReadonlySet<number> = new Set([400, 401, 403, 404, 408, 413, 415, 429]);
const passingCodes: ReadonlySet<ErrorCode> = new Set([
  'sold-out',
  'request-in-progress',
  // It is about this key, and says what was kept already.
  'idempotency-key-reused',
]);

/** Whether a refusal is the last word on its request. */
export function isFinalRefusal({ code }: AppError): boolean {
  const { status } = errorRegistry[code];
  return status < 500 && !passingStatuses.has(status) && !passingCodes.has(code);
}

/** Answers with the first final answer under the request's key: a reply, or a refusal that stands. */
export async function sendOneAnswer(
  answerOnce: AnswerOnce,
  { req, res }: { req: Request; res: Response },
  request: Pick<KeyClaim, 'digest' | 'fingerprint'>,
  handle: () => Promise<SentReply>,
): Promise<void> {
  const { status, contentType, headers, body, isReplay } = await answerOnce(request, () =>
    finalAnswer(handle, req, res),
  );
  res.status(status).set(headers).set('Cache-Control', 'no-store');
  if (isReplay) res.set('Idempotent-Replayed', 'true');
  if (contentType) res.type(contentType);
  res.send(Buffer.from(body));
}

/** Throws a refusal that is not final, and a defect. */
async function finalAnswer(
  handle: () => Promise<SentReply>,
  req: Request,
  res: Response,
): Promise<StoredAnswer> {
  try {
    const reply = await handle();
    const text = replyText(reply);
    return {
      status: reply.status,
      contentType: text === undefined ? '' : 'application/json',
      headers: reply.headers ?? {},
      body: text ?? '',
    };
  } catch (thrown) {
    if (!(thrown instanceof AppError) || !isFinalRefusal(thrown)) throw thrown;
    const problem = problemOf(req, res, thrown);
    return {
      status: problem.status,
      contentType: 'application/problem+json',
      headers: {},
      body: JSON.stringify(problem),
    };
  }
}
