import { createHash, timingSafeEqual } from 'node:crypto';
import type { Express, RequestHandler } from 'express';
import type { Registry } from '@prometheus-io/client';
import { AppError } from '../errors/index.ts';
import type { Logger } from '../log/index.ts';
import { bareApp, closeApp, isInternal } from './create-app.ts';
import { mountRoutes, type Route } from './route.ts';

/** State of one thing a process depends on; `undefined` means ready, else what is wrong. */
export type ReadinessCheck = () => Promise<string | undefined>;

export interface AdminAppOptions {
  log: Logger;
  internalKey: string;
  metrics: Registry;
  started: () => boolean;
  /** By name of the dependency. */
  checks: Readonly<Record<string, ReadinessCheck>>;
  /** Routes under /internal/; every one is guarded by the internal key. */
  internalRoutes?: readonly Route[];
}

/** The app of the admin port: probes, metrics, internal routes. For private networks only. */
export function createAdminApp(options: AdminAppOptions): Express {
  const app = bareApp(0);
  app.get('/livez', (_req, res) => void res.json({ status: 'ok' }));
  app.get('/startupz', (_req, res) => {
    res.status(options.started() ? 200 : 503).json({ started: options.started() });
  });
  app.get('/readyz', async (req, res) => {
    const problems = await findProblems(options);
    const ready = Object.keys(problems).length === 0;
    res
      .status(ready ? 200 : 503)
      .json(
        'verbose' in req.query
          ? { ready, checks: Object.keys(options.checks), problems }
          : { ready },
      );
  });
  app.get('/metrics', async (_req, res) => {
    res.type(options.metrics.contentType).send(await options.metrics.metrics());
  });
  const { internalRoutes = [] } = options;
  const open = internalRoutes.find(({ spec }) => !isInternal(spec.path));
  if (open) throw new Error(`${open.spec.path} would be on the admin port without a key`);
  app.use('/internal', requireInternalKey(options.internalKey));
  // The key was the credential: no token is looked at.
  mountRoutes(app, internalRoutes, {
    verify: () => Promise.reject(new AppError('unauthenticated')),
  });
  return closeApp(app, options.log);
}

async function findProblems(options: AdminAppOptions): Promise<Record<string, string>> {
  if (!options.started()) return { process: 'starting or draining' };
  const found = await Promise.all(
    Object.entries(options.checks).map(async ([name, check]) => {
      const problem = await check().catch((error: unknown) => String(error));
      return problem === undefined ? [] : [[name, problem] as const];
    }),
  );
  return Object.fromEntries(found.flat());
}

function requireInternalKey(expected: string): RequestHandler {
  // Digests have one length, so the comparison tells nothing about the key's.
  const digest = (value: string) => createHash('sha256').update(value).digest();
  const wanted = digest(expected);
  return (req, _res, next) => {
    if (!timingSafeEqual(digest(req.get('x-internal-key') ?? ''), wanted))
      throw new AppError('unauthenticated');
    next();
  };
}
