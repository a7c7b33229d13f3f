/** What a log line tells of an error. */
export interface ErrorFields {
  type: string;
  message: string;
  code?: string | number;
  stack?: string;
  cause?: ErrorFields;
}

const longestText = 8_000;
const deepestCause = 5;

/**
 * The fields of an error that may be logged: no more than these, as drivers and parsers hang whole
 * documents and request bodies on their errors. Addresses, tokens and credentials that stand in its
 * text are struck out.
 */
export function errorFields(error: unknown, depth = 0): ErrorFields {
  if (!Error.isError(error)) return { type: typeof error, message: strikeOut(textOf(error)) };
  const { name, message, stack, cause, code } = error as Error & { code?: unknown };
  return {
    type: name,
    message: strikeOut(message),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(stack && { stack: strikeOut(stack) }),
    ...(cause !== undefined && depth < deepestCause && { cause: errorFields(cause, depth + 1) }),
  };
}

/** Of an object nothing is told: it may be a body. */
const textOf = (thrown: unknown) => (typeof thrown === 'string' ? thrown : 'not an error');

/** Each pattern is bounded or runs once over the text. */
const secrets = [
  /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g,
  /(?<=\bBearer )\S+/gi,
  // Credentials in a URL.
  /(?<=:\/\/)[^\s/@]{1,512}(?=@)/g,
  /[\w.!#$%&'*+=?^`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,7}\.[A-Za-z][A-Za-z0-9-]{1,62}/g,
];

const strikeOut = (text: string) =>
  secrets.reduce((left, secret) => left.replace(secret, '[redacted]'), text.slice(0, longestText));
