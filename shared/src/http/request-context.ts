import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import { withContext } from '../log/index.ts';

const cleanRequestId = /^[A-Za-z0-9._-]{1,64}$/;
const cleanTraceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Takes a short and clean X-Request-Id or makes one, echoes it, and binds it to log and events. */
export const requestContextMiddleware: RequestHandler = (req, res, next) => {
  const given = req.get('x-request-id');
  const requestId = given && cleanRequestId.test(given) ? given : randomUUID();
  const traceparent = req.get('traceparent');
  res.locals.requestId = requestId;
  res.setHeader('X-Request-Id', requestId);
  withContext(
    {
      requestId,
      ...(traceparent && cleanTraceparent.test(traceparent) && { traceparent }),
    },
    next,
  );
};
