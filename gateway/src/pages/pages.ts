import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import express, { type RequestHandler, type Response, type Router } from 'express';
import { errorRegistry } from '@quicksale/shared/errors';
import { errorListPage, errorPage } from './page.ts';
import type { ServiceState } from './service-states.ts';

const web = (file: string) => fileURLToPath(new URL(`../../../web/${file}`, import.meta.url));
const swagger = (file: string) => createRequire(import.meta.url).resolve(`swagger-ui-dist/${file}`);

/** All that pages load, by its address: nothing else of a folder can be had. */
const assets: Readonly<Record<string, string>> = {
  'page.css': web('page.css'),
  'icon.svg': web('icon.svg'),
  'start.js': web('start/start.js'),
  'docs.js': web('docs/docs.js'),
  'swagger-ui.css': swagger('swagger-ui.css'),
  'swagger-ui.js': swagger('swagger-ui-bundle.js'),
};

const rows = Object.entries(errorRegistry).map(([code, row]) => ({ code, ...row }));

/**
 * No page loads anything from elsewhere. Unlike the API's own policy it does not turn http into https:
 * a shop on a machine in the house has no certificate.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ');

/** What the gateway itself shows: start page, API docs, error pages. What is not there goes on. */
export function createPages(options: { states: () => Promise<ServiceState[]> }): Router {
  const openApi = readFileSync(new URL('./openapi.json', import.meta.url));
  const router = express.Router({ caseSensitive: true, strict: true });
  const html = (res: Response, text: string) =>
    void res.set('Content-Security-Policy', contentSecurityPolicy).type('html').send(text);
  const file = (path: string): RequestHandler => {
    const text = readFileSync(path, 'utf8');
    return (_req, res) => html(res, text);
  };

  router.get('/', file(web('start/index.html')));
  router.get('/docs', file(web('docs/index.html')));
  router.get('/openapi.json', (_req, res) => {
    res.type('json').set('Cache-Control', 'public, max-age=60').send(openApi);
  });
  router.get('/status.json', async (_req, res) => {
    res.set('Cache-Control', 'no-store').json({ services: await options.states() });
  });
  router.get('/errors', (_req, res) => html(res, errorListPage(rows)));
  router.get('/errors/:code', (req, res, next) => {
    const row = rows.find(({ code }) => code === req.params.code);
    if (row) html(res, errorPage(row));
    else next();
  });
  router.get('/assets/:name', (req, res, next) => {
    const path = Object.hasOwn(assets, req.params.name) ? assets[req.params.name] : undefined;
    // Without a callback: it would be called after a good answer as well.
    if (path) res.sendFile(path, { maxAge: 60_000 });
    else next();
  });
  return router;
}
