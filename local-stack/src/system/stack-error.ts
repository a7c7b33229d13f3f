/** A failure a user can do something about: what happened, and the fix as its own sentence. */
export class StackError extends Error {
  readonly fix: string | undefined;

  constructor(message: string, options: { fix?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'StackError';
    this.fix = options.fix;
  }
}

export function describeError(error: unknown): string {
  if (error instanceof StackError && error.fix !== undefined) {
    return `${error.message}\n  ${error.fix}`;
  }
  const message = field(error, 'message');
  return typeof message === 'string' ? message : String(error);
}

export function errorCode(error: unknown): string | undefined {
  const code = field(error, 'code');
  return typeof code === 'string' ? code : undefined;
}

// Not `instanceof Error`: in a test's own realm Node's errors are instances of another Error.
function field(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
}
