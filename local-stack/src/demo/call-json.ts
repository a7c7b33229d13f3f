import { setTimeout as sleep } from 'node:timers/promises';

export interface JsonReply {
  readonly status: number;
  readonly body: unknown;
}

const tries = 5;

/** One request with a JSON answer. A 503 says "nothing happened, ask again", so that is done. */
export async function callJson(
  method: 'GET' | 'POST',
  url: string,
  options: { body?: unknown; headers?: Readonly<Record<string, string>> } = {},
): Promise<JsonReply> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json', ...options.headers },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (response.status !== 503 || attempt === tries) {
      return { status: response.status, body: parse(text) };
    }
    await sleep(500);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
