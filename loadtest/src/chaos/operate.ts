import { createHash } from 'node:crypto';
import type { Completion, History, Invocation, Operation } from './history.ts';

/** How an operation is asked for over HTTP. */
export interface Request {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  token: string;
  key?: string;
  body?: unknown;
  ifMatch?: string;
}

export interface Answered {
  operation: Operation;
  body: Record<string, unknown>;
  /** ETag of the answer. */
  tag?: string;
}

export type Operate = (invocation: Invocation, request: Request) => Promise<Answered>;

/** Longer than anybody is waited for in the services. */
const patienceMs = 6_000;

/** Said of something that may have happened, or may yet. */
const openAnswers = new Set([408, 429, 500, 502, 503, 504]);
const openCodes = new Set(['request-in-progress']);

/**
 * Sends one request and writes into the history what became of it. What was not heard is unknown,
 * never failed. `isBuyer` tells ids of users that nobody else may get to see.
 */
export function createOperate(options: {
  baseUrl: string;
  history: History;
  isBuyer: (id: string) => boolean;
}): Operate {
  const { baseUrl, history, isBuyer } = options;
  return async (invocation, request) => {
    const end = history.invoke(invocation);
    const sent = await send(baseUrl, request).catch(() => undefined);
    if (!sent) return { operation: end({ outcome: 'unknown' }), body: {} };
    const { status, text, tag } = sent;
    const body = parse(text);
    const code = typeof body.code === 'string' ? body.code : undefined;
    const isOpen = openAnswers.has(status) || openCodes.has(code ?? '');
    const foreign = isBuyer(invocation.userId)
      ? [...new Set(text.match(/\b[0-9a-f]{24}\b/g))].filter(
          (id) => id !== invocation.userId && isBuyer(id),
        )
      : [];
    const operation = end({
      outcome: isOpen ? 'unknown' : status < 300 ? 'ok' : 'fail',
      status,
      ...(code && { code }),
      ...(status < 300 && { bytes: createHash('sha256').update(text).digest('hex') }),
      ...(status < 300 && tell(invocation.type, body)),
      ...(foreign.length > 0 && { foreign }),
    });
    return { operation, body, ...(tag && { tag }) };
  };
}

async function send(baseUrl: string, { method, path, token, key, body, ifMatch }: Request) {
  const response = await fetch(`${baseUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(key && { 'idempotency-key': key }),
      ...(ifMatch && { 'if-match': ifMatch }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(patienceMs),
  });
  const text = await response.text();
  return { status: response.status, text, tag: response.headers.get('etag') ?? undefined };
}

interface WireOrder {
  _id: string;
  userId: string;
  saleId: string;
  items: { productId: string; quantity: number; unitPrice: number }[];
  totalAmount: number;
  version?: number;
  status: string;
  paymentStatus?: string;
}

/** What of an answer is checked later. */
function tell(
  type: Invocation['type'],
  body: Record<string, unknown>,
): Pick<Completion, 'orderId' | 'told'> {
  switch (type) {
    case 'place':
      return tellOrder(body.order as WireOrder);
    case 'cancel':
    case 'read':
    case 'set-status':
      return tellOrder(body as unknown as WireOrder);
    case 'open-payment':
    case 'pay':
    case 'refund':
      return { told: { status: String(body.status), captured: Number(body.captured) } };
    case 'read-product':
      return { told: { available: Number(body.available) } };
    case 'restock':
    case 'set-stock':
      return {};
  }
}

function tellOrder(order: WireOrder): Pick<Completion, 'orderId' | 'told'> {
  const { _id, userId, saleId, totalAmount, version, status, paymentStatus } = order;
  const items = order.items.map(({ productId, quantity, unitPrice }) => ({
    ...{ productId, quantity, unitPrice },
  }));
  const state = { ...(version && { version }), ...(paymentStatus && { paymentStatus }) };
  return { orderId: _id, told: { userId, saleId, items, totalAmount, status, ...state } };
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
