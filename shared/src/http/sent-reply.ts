import type { Response } from 'express';

/** What a handler returned, with its types erased. `raw` is a body that is JSON already. */
export interface SentReply {
  status: number;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  raw?: string;
}

/** The body as it goes out; undefined when there is none. */
export const replyText = (reply: SentReply): string | undefined =>
  reply.raw ?? (reply.body === undefined ? undefined : JSON.stringify(reply.body));

export function sendReply(res: Response, reply: SentReply): void {
  res.status(reply.status);
  if (reply.headers) res.set(reply.headers);
  const text = replyText(reply);
  if (text === undefined) res.end();
  else res.type('application/json').send(Buffer.from(text));
}
