/** Decides what a caller or a consumer may do next; never an HTTP status. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'rate_limited'
  | 'unavailable'
  | 'internal';

interface RegistryRow {
  kind: ErrorKind;
  status: number;
  title: string;
}

/** Every code a client can see. `docs/errors.md` lists the same rows; a test compares the two. */
export const errorRegistry = {
  'validation-failed': { kind: 'invalid', status: 400, title: 'The request is not valid' },
  'malformed-request': { kind: 'invalid', status: 400, title: 'This is not a valid HTTP request' },
  'malformed-json': { kind: 'invalid', status: 400, title: 'The body is not valid JSON' },
  'idempotency-key-required': {
    kind: 'invalid',
    status: 400,
    title: 'The Idempotency-Key header is missing',
  },
  'idempotency-key-invalid': {
    kind: 'invalid',
    status: 400,
    title: 'The Idempotency-Key header is malformed',
  },
  unauthenticated: { kind: 'unauthenticated', status: 401, title: 'Sign in first' },
  'token-expired': { kind: 'unauthenticated', status: 401, title: 'The access token has expired' },
  'invalid-credentials': {
    kind: 'unauthenticated',
    status: 401,
    title: 'E-mail address or password is wrong',
  },
  forbidden: { kind: 'forbidden', status: 403, title: 'Your role does not allow this' },
  'not-found': { kind: 'not_found', status: 404, title: 'Not found' },
  'request-timeout': {
    kind: 'unavailable',
    status: 408,
    title: 'The request did not arrive in time',
  },
  'sold-out': { kind: 'conflict', status: 409, title: 'Sold out' },
  'buyer-limit-reached': { kind: 'conflict', status: 409, title: 'Limit per buyer reached' },
  'too-many-holds': { kind: 'conflict', status: 409, title: 'Too many holds' },
  'sale-not-open': { kind: 'conflict', status: 409, title: 'The sale is not open yet' },
  'sale-closed': { kind: 'conflict', status: 409, title: 'The sale is closed' },
  'sale-paused': { kind: 'conflict', status: 409, title: 'The sale is paused' },
  'order-state-conflict': {
    kind: 'conflict',
    status: 409,
    title: 'The order is not in a state that allows this',
  },
  'request-in-progress': {
    kind: 'conflict',
    status: 409,
    title: 'A request with this key is still being worked on',
  },
  'email-taken': { kind: 'conflict', status: 409, title: 'This e-mail address has an account' },
  'sku-taken': { kind: 'conflict', status: 409, title: 'You have a product with this SKU' },
  'product-in-sale': { kind: 'conflict', status: 409, title: 'The product is in another sale' },
  'sale-state-conflict': {
    kind: 'conflict',
    status: 409,
    title: 'The sale is not in a state that allows this',
  },
  'insufficient-stock': { kind: 'conflict', status: 409, title: 'Not enough stock' },
  'price-changed': { kind: 'conflict', status: 409, title: 'The price has changed' },
  'hold-gone': { kind: 'conflict', status: 409, title: 'The hold no longer exists' },
  'version-conflict': { kind: 'conflict', status: 412, title: 'Somebody changed it before you' },
  'payload-too-large': { kind: 'invalid', status: 413, title: 'The body is too large' },
  'unsupported-media-type': {
    kind: 'invalid',
    status: 415,
    title: 'The body must be application/json in UTF-8, not compressed',
  },
  'idempotency-key-reused': {
    kind: 'conflict',
    status: 422,
    title: 'The key was used for another request',
  },
  'mixed-sales': { kind: 'invalid', status: 422, title: 'The products belong to several sales' },
  'unknown-product': { kind: 'invalid', status: 422, title: 'No such product' },
  'precondition-required': { kind: 'invalid', status: 428, title: 'If-Match is required' },
  'rate-limited': { kind: 'rate_limited', status: 429, title: 'Too many requests' },
  'headers-too-large': { kind: 'invalid', status: 431, title: 'The request has too many headers' },
  internal: { kind: 'internal', status: 500, title: 'Internal error' },
  overloaded: { kind: 'unavailable', status: 503, title: 'Too busy, try again' },
  'sale-fenced': { kind: 'unavailable', status: 503, title: 'The sale is being repaired' },
  'order-being-recorded': {
    kind: 'unavailable',
    status: 503,
    title: 'The order is being recorded',
  },
  'dependency-unavailable': {
    kind: 'unavailable',
    status: 503,
    title: 'A part of the shop is not reachable, try again',
  },
} as const satisfies Record<string, RegistryRow>;

export type ErrorCode = keyof typeof errorRegistry;
