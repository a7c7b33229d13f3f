import { AsyncLocalStorage } from 'node:async_hooks';
import { pino, type DestinationStream, type Logger } from 'pino';
import { errorFields } from './error-fields.ts';

export type { Logger } from 'pino';

/** What every line of one request or one event carries. */
export interface RequestContext {
  requestId: string;
  userId?: string;
  orderId?: string;
  traceparent?: string;
}

const contexts = new AsyncLocalStorage<RequestContext>();

/** Runs `work` with `context` bound: its log lines and the events it publishes carry it. */
export function withContext<T>(context: RequestContext, work: () => T): T {
  return contexts.run(context, work);
}

export function currentContext(): RequestContext | undefined {
  return contexts.getStore();
}

/** Never in a log, neither by themselves nor in something like `headers`. */
const secretFields = [
  'password',
  'passwordHash',
  'email',
  'token',
  'accessToken',
  'refreshToken',
  'authorization',
  'cookie',
  'set-cookie',
  'idempotency-key',
  'idempotencyKey',
  'x-internal-key',
];

const asError = (error: unknown) => errorFields(error);

/** JSON lines on standard output. Bodies and tokens are never passed to it; the redaction is a net. */
export function createLogger(
  options: { service: string; level: string },
  destination?: DestinationStream,
): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => ({ ...contexts.getStore() }),
      serializers: { err: asError, deadLetterError: asError },
      redact: secretFields.flatMap((name) => [`["${name}"]`, `*["${name}"]`]),
    },
    // Written at once: a line logged right before a crash must not be lost in a buffer.
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}
