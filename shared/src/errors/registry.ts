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
  /** What whoever gets it should do; shown on its page. `Code` stands between backticks. */
  advice: string;
}

/** Every code a client can see. `docs/errors.md` lists the same rows; a test compares the two. */
export const errorRegistry = {
  'validation-failed': {
    kind: 'invalid',
    status: 400,
    title: 'The request is not valid',
    advice:
      '`errors` names each wrong field by a JSON pointer. Correct them and send the request again; nothing has happened.',
  },
  'malformed-request': {
    kind: 'invalid',
    status: 400,
    title: 'This is not a valid HTTP request',
    advice: 'What arrived could not be read as HTTP. Look at the program that sent it.',
  },
  'malformed-json': {
    kind: 'invalid',
    status: 400,
    title: 'The body is not valid JSON',
    advice: 'Send a JSON object in UTF-8.',
  },
  'idempotency-key-required': {
    kind: 'invalid',
    status: 400,
    title: 'The Idempotency-Key header is missing',
    advice:
      'Send an `Idempotency-Key` of your choice, such as a UUID, and the same one with every repeat of the request.',
  },
  'idempotency-key-invalid': {
    kind: 'invalid',
    status: 400,
    title: 'The Idempotency-Key header is malformed',
    advice: 'Send one key of 1 to 255 printable ASCII characters.',
  },
  unauthenticated: {
    kind: 'unauthenticated',
    status: 401,
    title: 'Sign in first',
    advice: 'Send `Authorization: Bearer` with an access token from signing in or refreshing.',
  },
  'token-expired': {
    kind: 'unauthenticated',
    status: 401,
    title: 'The access token has expired',
    advice: 'Trade the refresh token for new tokens, then send the request again.',
  },
  'invalid-credentials': {
    kind: 'unauthenticated',
    status: 401,
    title: 'E-mail address or password is wrong',
    advice: 'Which of the two is wrong is told to nobody.',
  },
  'webhook-signature-invalid': {
    kind: 'unauthenticated',
    status: 401,
    title: 'The webhook is not signed by the provider',
    advice:
      'Only the payment provider calls this address. Check the signing secret on both sides, and the clock.',
  },
  'payment-declined': {
    kind: 'conflict',
    status: 402,
    title: 'The payment was declined',
    advice:
      '`declineCode` is what the payment provider says. The order waits until its deadline: pay again with a new key, or by another method.',
  },
  forbidden: {
    kind: 'forbidden',
    status: 403,
    title: 'Your role does not allow this',
    advice: 'The account is known, and its role may not do this.',
  },
  'not-found': {
    kind: 'not_found',
    status: 404,
    title: 'Not found',
    advice: 'There is no such thing, or it belongs to somebody else.',
  },
  'request-timeout': {
    kind: 'unavailable',
    status: 408,
    title: 'The request did not arrive in time',
    advice: 'The request did not arrive whole. It had no effect: send it again.',
  },
  'sold-out': {
    kind: 'conflict',
    status: 409,
    title: 'Sold out',
    advice:
      '`products` says what is left of each product that was asked for. Units come back when orders are cancelled or not paid; the same key may be tried again.',
  },
  'buyer-limit-reached': {
    kind: 'conflict',
    status: 409,
    title: 'Limit per buyer reached',
    advice: '`limit` is what one buyer may have in this sale, `owned` what you have already.',
  },
  'too-many-holds': {
    kind: 'conflict',
    status: 409,
    title: 'Too many holds',
    advice: 'Give a hold back, order what it holds, or wait until one ends.',
  },
  'sale-not-open': {
    kind: 'conflict',
    status: 409,
    title: 'The sale is not open yet',
    advice:
      '`opensAt` says when it opens, by the clock of the shop. Nothing is gained by asking before.',
  },
  'sale-closed': {
    kind: 'conflict',
    status: 409,
    title: 'The sale is closed',
    advice: 'The sale has ended. An order that was accepted stands.',
  },
  'sale-paused': {
    kind: 'conflict',
    status: 409,
    title: 'The sale is paused',
    advice: 'The merchant has paused the sale. Ask again later with the same key.',
  },
  'order-state-conflict': {
    kind: 'conflict',
    status: 409,
    title: 'The order is not in a state that allows this',
    advice: '`currentStatus` says where the order is now.',
  },
  'request-in-progress': {
    kind: 'conflict',
    status: 409,
    title: 'A request with this key is still being worked on',
    advice:
      'Wait for `Retry-After` and send the same request again: it is answered with the outcome of the first.',
  },
  'email-taken': {
    kind: 'conflict',
    status: 409,
    title: 'This e-mail address has an account',
    advice: 'Sign in instead.',
  },
  'sku-taken': {
    kind: 'conflict',
    status: 409,
    title: 'You have a product with this SKU',
    advice: '`productId` is the product that has it.',
  },
  'discount-code-taken': {
    kind: 'conflict',
    status: 409,
    title: 'You have a discount with this code',
    advice:
      '`discountId` is the discount that has it. A discount that is not active keeps its code.',
  },
  'discount-used-up': {
    kind: 'conflict',
    status: 409,
    title: 'The discount code is used up',
    advice:
      '`scope` is `user` when it is your own uses that are used up, `total` when it is those of all. Uses come back when orders are cancelled or not paid; without the code the order may be placed.',
  },
  'product-in-sale': {
    kind: 'conflict',
    status: 409,
    title: 'The product is in another sale',
    advice: 'A product is in one sale at a time. Close the other sale first.',
  },
  'sale-state-conflict': {
    kind: 'conflict',
    status: 409,
    title: 'The sale is not in a state that allows this',
    advice: '`state` says where the sale is now.',
  },
  'insufficient-stock': {
    kind: 'conflict',
    status: 409,
    title: 'Not enough stock',
    advice:
      '`products` says what is available. Units that are held or ordered cannot be taken away.',
  },
  'hold-gone': {
    kind: 'conflict',
    status: 409,
    title: 'The hold no longer exists',
    advice: 'It was used, given back, or its deadline has passed. Put the units aside again.',
  },
  'price-changed': {
    kind: 'conflict',
    status: 409,
    title: 'Prices have changed',
    advice:
      '`products` says what each cost when you were last told, and what it costs now. The cart has the new prices: check out again with a new key if you agree.',
  },
  'cart-empty': {
    kind: 'conflict',
    status: 409,
    title: 'The cart is empty',
    advice:
      'Put something into it first. What an earlier checkout has ordered is among your orders.',
  },
  'cart-limit-reached': {
    kind: 'conflict',
    status: 409,
    title: 'The cart takes no more of this',
    advice: '`detail` says of what, and `most` how many it takes.',
  },
  'version-conflict': {
    kind: 'conflict',
    status: 412,
    title: 'Somebody changed it before you',
    advice: 'Read it again and decide anew; `If-Match` takes the ETag of that answer.',
  },
  'payload-too-large': {
    kind: 'invalid',
    status: 413,
    title: 'The body is too large',
    advice: 'A body has at most 16 KiB.',
  },
  'unsupported-media-type': {
    kind: 'invalid',
    status: 415,
    title: 'The body must be application/json in UTF-8, not compressed',
    advice: 'Send `Content-Type: application/json` without a content encoding.',
  },
  'idempotency-key-reused': {
    kind: 'conflict',
    status: 422,
    title: 'The key was used for another request',
    advice: 'The same key came with another body before. A new request needs a new key.',
  },
  'mixed-sales': {
    kind: 'invalid',
    status: 422,
    title: 'The products belong to several sales',
    advice: 'Make one order for each sale.',
  },
  'unknown-product': {
    kind: 'invalid',
    status: 422,
    title: 'No such product',
    advice: 'The product does not exist or is not sold any more.',
  },
  'unknown-discount': {
    kind: 'invalid',
    status: 422,
    title: 'No such discount code, or none for this order',
    advice:
      'There is no such code for this order, or none that is valid now. It may be placed without.',
  },
  'precondition-required': {
    kind: 'invalid',
    status: 428,
    title: 'If-Match is required',
    advice: 'Read it first, then send the ETag of that answer as `If-Match`.',
  },
  'rate-limited': {
    kind: 'rate_limited',
    status: 429,
    title: 'Too many requests',
    advice: 'Wait for `Retry-After`. The `RateLimit` fields say what is left.',
  },
  'headers-too-large': {
    kind: 'invalid',
    status: 431,
    title: 'The request has too many headers',
    advice: 'Send fewer or shorter headers: at most 8 KiB of them.',
  },
  internal: {
    kind: 'internal',
    status: 500,
    title: 'Internal error',
    advice:
      'This is a defect of the shop. Report the `requestId`; a repeat with the same key is safe.',
  },
  overloaded: {
    kind: 'unavailable',
    status: 503,
    title: 'Too busy, try again',
    advice:
      'Nothing has happened. Wait for `Retry-After` and send the same request with the same key.',
  },
  'sale-fenced': {
    kind: 'unavailable',
    status: 503,
    title: 'The sale is being repaired',
    advice:
      'The stock of the sale is being checked against its orders; no accepted order is lost. Wait for `Retry-After` and send the same request with the same key.',
  },
  'order-being-recorded': {
    kind: 'unavailable',
    status: 503,
    title: 'The order is being recorded',
    advice: 'An order this young may still be on its way. Ask again after `Retry-After`.',
  },
  'dependency-unavailable': {
    kind: 'unavailable',
    status: 503,
    title: 'A part of the shop is not reachable, try again',
    advice:
      'Wait for `Retry-After` and send the same request with the same key: whatever became of the first, it counts once.',
  },
} as const satisfies Record<string, RegistryRow>;

export type ErrorCode = keyof typeof errorRegistry;
