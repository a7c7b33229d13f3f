import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { AppError, errorRegistry, toAppError } from '../errors/index.ts';
import type { Logger } from '../log/index.ts';

/** Body of every error: RFC 9457 with `code` and `requestId`. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  requestId: string;
  [extension: string]: unknown;
}

/** The problem body for an error; nothing of an internal cause is in it. */
export function toProblem(error: AppError, instance: string, requestId: string): Problem {
  const { status, title } = errorRegistry[error.code];
  return {
    type: `/errors/${error.code}`,
    title,
    status,
    detail: error.message,
    instance,
    code: error.code,
    requestId,
    ...(error.errors && { errors: error.errors }),
    ...error.extensions,
  };
}

/** The problem body of a request. */
export const problemOf = (req: Request, res: Response, error: AppError): Problem =>
  toProblem(error, pathOf(req), String(res.locals.requestId ?? ''));

/** Seconds for Retry-After; jitter keeps refused clients from coming back all at once. */
export function retryAfterSeconds(error: AppError): number | undefined {
  if (error.retryAfterSeconds !== undefined) return error.retryAfterSeconds;
  return error.kind === 'unavailable' ? 1 + Math.floor(Math.random() * 3) : undefined;
}

/** Answers a request with an error, whether it came from a route or from a middleware. */
export function sendProblem(req: Request, res: Response, error: AppError): void {
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) res.setHeader('Retry-After', String(retryAfter));
  if (error.kind === 'unauthenticated') res.setHeader('WWW-Authenticate', 'Bearer');
  const problem = problemOf(req, res, error);
  res
    .status(problem.status)
    .set('Cache-Control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problem));
}

/** Path without its query: tokens and e-mail addresses may stand in a query. */
const pathOf = (req: Request) => req.originalUrl.split('?', 1)[0] ?? '';

/** Last handler of an app: anything thrown becomes a problem; only defects are logged as errors. */
export function problemMiddleware(log: Logger): ErrorRequestHandler {
  return (thrown: unknown, req, res, _next) => {
    if (isAborted(thrown)) return;
    const error = fromHttpError(thrown) ?? toAppError(thrown);
    if (error.code === 'internal') log.error({ err: error.cause ?? error }, 'request failed');
    // The connection that is missing has said so once; a line per refused buyer would be a flood.
    else if (error.kind === 'unavailable') log.debug({ err: error }, 'request refused');
    // Too late for an answer: that it is not whole must be seen. Express' own handler would print it.
    if (res.headersSent) res.destroy();
    else sendProblem(req, res, error);
  };
}

export const notFoundMiddleware: RequestHandler = ({ method }) => {
  throw new AppError('not-found', { message: `There is nothing at this address for ${method}` });
};

const isAborted = (thrown: unknown) =>
  (thrown as { type?: unknown } | null)?.type === 'request.aborted';

/** Errors that Express and its body parser throw, by their documented `type`. */
function fromHttpError(thrown: unknown): AppError | undefined {
  if (thrown instanceof AppError || !Error.isError(thrown)) return undefined;
  const { type, status } = thrown as { type?: string; status?: number };
  switch (type) {
    case 'entity.parse.failed':
      return new AppError('malformed-json', { cause: thrown });
    case 'entity.too.large':
      return new AppError('payload-too-large', { cause: thrown });
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new AppError('unsupported-media-type', { cause: thrown });
    case 'request.size.invalid':
      return new AppError('validation-failed', { message: 'Content-Length is wrong' });
    default:
      break;
  }
  // A path that cannot be decoded: `/%`.
  if (thrown.name === 'URIError' && status === 400)
    return new AppError('validation-failed', { message: 'The address is malformed' });
  return undefined;
}
