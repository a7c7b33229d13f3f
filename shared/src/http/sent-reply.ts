import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';

/** A body that is made while it is sent, as fast as the client takes it; it ends with the client. */
export interface StreamedBody {
  type: string;
  chunks: AsyncIterable<string>;
}

/** What a handler returned, with its types erased. `raw` is a body that is JSON already. */
export interface SentReply {
  status: number;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  raw?: string;
  stream?: StreamedBody;
}

/** The body as it goes out; undefined when there is none. */
export const replyText = (reply: SentReply): string | undefined =>
  reply.raw ?? (reply.body === undefined ? undefined : JSON.stringify(reply.body));

export async function sendReply(res: Response, reply: SentReply): Promise<void> {
  if (reply.stream) return sendStream(res, reply, reply.stream);
  res.status(reply.status);
  if (reply.headers) res.set(reply.headers);
  const text = replyText(reply);
  if (text === undefined) res.end();
  else res.type('application/json').send(Buffer.from(text));
}

/** The first piece is waited for: what fails until then is answered like any other failure. */
async function sendStream(
  res: Response,
  { status, headers }: SentReply,
  { type, chunks }: StreamedBody,
): Promise<void> {
  const source = chunks[Symbol.asyncIterator]();
  const first = await source.next();
  // The client may have gone while it was waited for.
  if (res.destroyed) return void (await source.return?.());
  async function* all(): AsyncGenerator<string, void> {
    try {
      if (!first.done) yield first.value;
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  res.status(status).type(type);
  if (headers) res.set(headers);
  try {
    await pipeline(Readable.from(all()), res);
  } catch (error) {
    // A client that goes away ends the source; that is no failure.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
