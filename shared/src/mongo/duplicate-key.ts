import { AppError, unavailable } from '../errors/index.ts';

interface ServerError {
  code?: unknown;
  message?: string;
  errmsg?: string;
}

const deadlockCode = 16908292;
/** What Node says of a socket: the driver passes it on as it is when a write meets it. A server's codes are numbers. */
const socketCode = /^(E[A-Z]+|ERR_(STREAM|SOCKET)_\w+)$/;
/** A server that comes up may not know its users yet. */
const notAuthenticatedCodes: ReadonlySet<unknown> = new Set([13, 18]);

/**
 * True when a write lost against another one on a unique key: a duplicate, or one of the forms in
 * which DocumentDB reports a lost race. Either way the answer is to read what is there now.
 */
export function isDuplicateOrLostRace(error: unknown): boolean {
  const { code } = (error ?? {}) as ServerError;
  if (code === 11000 || code === deadlockCode) return true;
  return code === 1 && /deadlock detected|collection_pk_/.test(messageOf(error));
}

const messageOf = (error: unknown) => {
  const { message, errmsg } = (error ?? {}) as ServerError;
  return errmsg ?? message ?? '';
};

const unavailableNames = new Set([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoServerSelectionError',
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoPoolClearedError',
  'MongoPoolClosedError',
  'MongoWaitQueueTimeoutError',
  'MongoOperationTimeoutError',
  'MongoExpiredSessionError',
  'MongoClientClosedError',
  'PoolClearedOnNetworkError',
  'MongooseServerSelectionError',
  'MongoServerClosedError',
  // The connection ended before an answer came.
  'MongoUnexpectedServerResponseError',
]);

/**
 * True when the server could not be asked, or died or was starting while it was: the outcome of a
 * write is then unknown. DocumentDB words it as PostgreSQL and its gateway do.
 */
export function isMongoUnavailable(error: unknown): boolean {
  if (!Error.isError(error)) return false;
  if (unavailableNames.has(error.name)) return true;
  const { code } = error as ServerError;
  if (notAuthenticatedCodes.has(code)) return true;
  if (typeof code === 'string' && socketCode.test(code)) return true;
  const labelled = error as { hasErrorLabel?: (label: string) => boolean };
  if (labelled.hasErrorLabel?.('RetryableWriteError')) return true;
  return /unexpected EOF|recovery mode|accepting connections|starting up|shutting down|connect: |terminating connection|connection re(set|fused)|closed pool|conn closed|broken pipe|too many clients/i.test(
    error.message,
  );
}

/** Errors of the store as AppErrors: away is `dependency-unavailable`, the rest stays as it is. */
export function translateMongoError(error: unknown): unknown {
  if (error instanceof AppError || !isMongoUnavailable(error)) return error;
  return unavailable('The database is not reachable', error);
}
