/** An answer, with its body as it came and as JSON. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // What a test expects of a body is written in the test.
  body: Record<string, unknown>;
}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  token?: string;
  /** Idempotency-Key. */
  key?: string;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  limitMs?: number;
}

export interface ApiClient {
  /** Sends one request. Throws on any 500: the services promise never to answer one. */
  call(path: string, call?: Call): Promise<Answer>;
  /** POST /api/orders of one product. */
  placeOrder(order: {
    token: string;
    key: string;
    productId: string;
    quantity?: number;
  }): Promise<Answer>;
  /** The same key again and again until the answer is final: neither 408, 429, 503 nor a lost connection. */
  placeOrderUntilFinal(order: {
    token: string;
    key: string;
    productId: string;
    quantity?: number;
    limitMs: number;
  }): Promise<Answer & { tries: number }>;
}

/** A client of the public API behind `baseUrl`. */
export function createApiClient(baseUrl: string): ApiClient {
  const call: ApiClient['call'] = async (path, options = {}) => {
    const { method = options.body === undefined ? 'GET' : 'POST', token, key, body } = options;
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(key && { 'idempotency-key': key }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(options.limitMs ?? 15_000),
    });
    const text = await response.text();
    if (response.status === 500) throw new ServerDefect(`${method} ${path} answered 500: ${text}`);
    return { status: response.status, headers: response.headers, text, body: parse(text) };
  };

  const placeOrder: ApiClient['placeOrder'] = ({ token, key, productId, quantity = 1 }) =>
    call('/api/orders', { token, key, body: { items: [{ productId, quantity }] } });

  return {
    call,
    placeOrder,
    placeOrderUntilFinal: async ({ limitMs, ...order }) => {
      const deadline = Date.now() + limitMs;
      for (let tries = 1; ; tries += 1) {
        const answer = await placeOrder(order).catch((error: unknown) => {
          if (error instanceof ServerDefect) throw error;
          return undefined;
        });
        if (answer && !passing.has(answer.status)) return { ...answer, tries };
        if (Date.now() > deadline) throw new Error(`no final answer: ${answer?.text ?? 'lost'}`);
        await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400));
      }
    },
  };
}

/** Not read in time, over a limit, not possible now: nothing has happened that a repeat could double. */
const passing = new Set([408, 429, 503]);

/** A 500: a defect, whatever the faults around it. */
export class ServerDefect extends Error {}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
