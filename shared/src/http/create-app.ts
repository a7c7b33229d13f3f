import express, { type Express } from 'express';
import type { VerifyAccessToken } from '../auth/principal.ts';
import type { AnswerOnce } from '../idempotency/answer-once.ts';
import type { Logger } from '../log/index.ts';
import { notFoundMiddleware, problemMiddleware } from './problem.ts';
import { requestContextMiddleware } from './request-context.ts';
import { mountRoutes, type Route } from './route.ts';

export interface AppOptions {
  service: string;
  version: string;
  log: Logger;
  trustProxyHops: number;
  routes: readonly Route[];
  verifyAccessToken: VerifyAccessToken;
  /** For routes that are `idempotent: 'stored'`. */
  answerOnce?: AnswerOnce;
}

/** A service's public app: request id, `/health`, its routes, problems. It does not listen. */
export function createApp(options: AppOptions): Express {
  // Their credential is the internal key, which this app does not ask for.
  const internal = options.routes.find(({ spec }) => isInternal(spec.path));
  if (internal) throw new Error(`${internal.spec.path} belongs on the admin port`);
  const app = bareApp(options.trustProxyHops);
  app.get('/health', healthHandler(options.service, options.version));
  mountRoutes(app, options.routes, {
    verify: options.verifyAccessToken,
    ...(options.answerOnce && { answerOnce: options.answerOnce }),
  });
  return closeApp(app, options.log);
}

/** Whether a path is guarded by the internal key, on the admin port. */
export const isInternal = (path: string): boolean => path.startsWith('/internal/');

/** An Express app with this project's settings and the request context, nothing else. */
export function bareApp(trustProxyHops: number): Express {
  const app = express();
  // Exact number of proxies: `true` would believe any X-Forwarded-For.
  app.set('trust proxy', trustProxyHops);
  app.set('etag', false);
  app.disable('x-powered-by');
  app.use(requestContextMiddleware);
  return app;
}

/** Adds the end of the chain: not found and problems. */
export function closeApp(app: Express, log: Logger): Express {
  app.use(notFoundMiddleware);
  app.use(problemMiddleware(log));
  return app;
}

export function healthHandler(service: string, version: string): express.RequestHandler {
  return (_req, res) => {
    res.json({ status: 'ok', service, version, uptimeSeconds: Math.floor(process.uptime()) });
  };
}
