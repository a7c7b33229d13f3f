import type { RequestHandler } from 'express';
import type { Histogram } from '@prometheus-io/client';
import type { Logger } from '@quicksale/shared/log';
import { localsOf } from './limits/request-limits.ts';

/** One line and one measurement per request. No query, no header: tokens stand in them. */
export function requestLog(
  log: Logger,
  durations: Histogram<'upstream' | 'method' | 'status'>,
): RequestHandler {
  return (req, res, next) => {
    const startMs = performance.now();
    res.once('close', () => {
      const durationMs = performance.now() - startMs;
      const { destination } = localsOf(res) as Partial<ReturnType<typeof localsOf>>;
      durations.observe(
        {
          upstream: destination?.upstream ?? 'none',
          method: req.method,
          status: String(res.statusCode),
        },
        durationMs / 1000,
      );
      log.debug(
        {
          method: req.method,
          path: req.originalUrl.split('?', 1)[0],
          status: res.statusCode,
          durationMs: Math.round(durationMs),
          ...(!res.writableFinished && { aborted: true }),
        },
        'request',
      );
    });
    next();
  };
}
