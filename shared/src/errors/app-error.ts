import { errorRegistry, type ErrorCode, type ErrorKind } from './registry.ts';

/** One thing wrong with the input; `pointer` is a JSON pointer (RFC 6901) into it. */
export interface FieldError {
  pointer: string;
  message: string;
}

export interface AppErrorOptions {
  /** What the client is told about this very case; the registry's title when absent. */
  message?: string;
  errors?: readonly FieldError[];
  /** Members added to the problem body, such as `products` of `sold-out`. */
  extensions?: Readonly<Record<string, unknown>>;
  /** Least time before another try makes sense. */
  retryAfterSeconds?: number;
  cause?: unknown;
}

/** The only error that crosses module borders. Its message is shown to clients, its cause never. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly errors: readonly FieldError[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? errorRegistry[code].title, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.kind = errorRegistry[code].kind;
    this.errors = options.errors;
    this.extensions = options.extensions;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Anything thrown, as an AppError: what is not one already is `internal` with the cause kept. */
export function toAppError(thrown: unknown): AppError {
  return thrown instanceof AppError ? thrown : new AppError('internal', { cause: thrown });
}

/** A dependency did not answer; the same call may succeed later. */
export function unavailable(message: string, cause?: unknown): AppError {
  return new AppError('dependency-unavailable', { message, cause });
}
