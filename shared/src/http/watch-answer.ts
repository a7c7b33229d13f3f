import { channel } from 'node:diagnostics_channel';
import type { RequestHandler } from 'express';
import type { z } from 'zod';

/** What an answer is compared with. */
interface AnswerContract {
  operationId: string;
  replies: Readonly<Record<number, z.ZodType | undefined>>;
}

/** An answer as it went out. */
export interface SentAnswer {
  method: string;
  spec: AnswerContract;
  status: number;
  contentType: string;
  body: string;
}

/**
 * Where every answer of a route is published, whole, while somebody listens: that is how the tests
 * compare all that was ever answered with the API docs. It costs nothing while nobody does.
 */
const answers = channel('quicksale.http.answer');

/** Publishes the answer to a request, whether the route or a middleware before it gives it. */
export const watchAnswer =
  (spec: AnswerContract): RequestHandler =>
  ({ method }, res, next) => {
    if (answers.hasSubscribers) {
      const chunks: Buffer[] = [];
      const { write, end } = res;
      const keep = (chunk: unknown) => {
        if (typeof chunk === 'string' || chunk instanceof Uint8Array)
          chunks.push(Buffer.from(chunk));
      };
      res.write = ((...args: Parameters<typeof write>) => {
        keep(args[0]);
        return write.apply(res, args);
      }) as typeof write;
      // Not when it has arrived: a client that hangs up once it has read an early refusal, with a body
      // that nobody wants still on its way, would at times not have been answered.
      res.end = ((...args: Parameters<typeof end>) => {
        keep(args[0]);
        res.end = end;
        end.apply(res, args);
        answers.publish({
          method,
          spec,
          status: res.statusCode,
          contentType: String(res.getHeader('content-type') ?? ''),
          body: Buffer.concat(chunks).toString(),
        } satisfies SentAnswer);
        return res;
      }) as typeof end;
    }
    next();
  };
