import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartOptions } from '../supervisor/part.ts';
import { waitUntil } from '../system/wait-until.ts';
import { answersMongo } from './ping-mongo.ts';
import type { Postgres } from './postgres-part.ts';

export async function createFerretDbPart(options: {
  command: string;
  postgres: Postgres;
  port: number;
  url: string;
  dataFolder: string;
  logFolder: string;
}): Promise<PartOptions> {
  const { postgres, port } = options;
  await mkdir(options.dataFolder, { recursive: true, mode: 0o700 });
  await postgres.unprivileged.own(options.dataFolder);
  const [command, args] = postgres.unprivileged.wrap(
    options.command,
    [
      `--postgresql-url=postgres://postgres@/postgres?host=${postgres.socketFolder}&pool_max_conns=50`,
      `--listen-addr=127.0.0.1:${port}`,
      '--debug-addr=',
      '--telemetry=disable',
      '--log-level=ERROR',
      `--state-dir=${options.dataFolder}`,
    ],
    'TERM',
  );
  return {
    name: 'ferretdb',
    command,
    args,
    env: { ...postgres.env, DO_NOT_TRACK: '1', GOMEMLIMIT: '256MiB' },
    cwd: options.dataFolder,
    logFile: join(options.logFolder, 'ferretdb.log'),
    ready: async (signal) =>
      waitUntil(async () => answersMongo(options.url), { signal, intervalMs: 50 }),
    after: ['postgres'],
    stopTimeoutMs: 5000,
  };
}
