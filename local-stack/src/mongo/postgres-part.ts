import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PartOptions } from '../supervisor/part.ts';
import { endProcessesIn } from '../system/end-processes-in.ts';
import { exists } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';
import { waitUntil } from '../system/wait-until.ts';
import type { PostgresProgram } from './obtain-documentdb.ts';
import { postgresSettings } from './postgres-settings.ts';
import { findUnprivileged, type Unprivileged } from './unprivileged.ts';

const longestSocketPath = 107;
const settingsFile = 'quicksale.conf';

export interface Postgres {
  readonly part: PartOptions;
  readonly socketFolder: string;
  readonly unprivileged: Unprivileged;
  readonly env: Record<string, string>;
  cleanUp(): Promise<void>;
}

/** PostgreSQL in its data folder, with a database user of the given name and password. */
export async function createPostgres(options: {
  program: PostgresProgram;
  dataFolder: string;
  logFolder: string;
  user: string;
  password: string;
}): Promise<Postgres> {
  const { program, dataFolder } = options;
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  const unprivileged = await findUnprivileged([join(program.binFolder, 'postgres'), dataFolder]);
  await unprivileged.own(dataFolder);
  const socketFolder = await createSocketFolder(dataFolder, unprivileged);
  const cluster = join(dataFolder, 'cluster');
  const env = { PATH: '/usr/bin:/bin', HOME: dataFolder, LC_ALL: 'C' };
  const run = async (name: string, args: readonly string[], input?: string): Promise<string> => {
    const [command, all] = unprivileged.wrap(join(program.binFolder, name), args);
    return runCommand(command, all, { env, cwd: dataFolder, input });
  };
  await endProcessesIn(cluster);
  if (!(await exists(join(cluster, 'PG_VERSION')))) {
    await createCluster({ cluster, run });
  }
  const settings = Object.entries(postgresSettings(socketFolder));
  const text = settings.map(([name, value]) => `${name} = ${value}\n`).join('');
  await writeFile(join(cluster, settingsFile), text, { mode: 0o644 });

  const prepare = once(async () => {
    const target = ['-h', socketFolder, '-U', 'postgres', '-d', 'postgres'];
    const script = preparation(options.user, options.password);
    await run('psql', [...target, '-qAtX1', '-v', 'ON_ERROR_STOP=1', '-f', '-'], script);
  });
  const server = join(program.binFolder, 'postgres');
  const [command, args] = unprivileged.wrap(server, ['-D', cluster], 'INT');
  return {
    part: {
      name: 'postgres',
      command,
      args,
      env,
      cwd: dataFolder,
      logFile: join(options.logFolder, 'postgres.log'),
      ready: async (signal, pid) => {
        await waitUntil(async () => isReady(cluster, pid), { signal, intervalMs: 20 });
        await prepare();
      },
      // SIGTERM would wait for the clients to leave.
      stopSignal: 'SIGINT',
      // Some of its processes do not notice that their server was killed, and keep its memory.
      cleanUpAfter: async () => endProcessesIn(cluster),
    },
    socketFolder,
    unprivileged,
    env,
    cleanUp: async () => {
      if (!socketFolder.startsWith(dataFolder)) {
        await rm(socketFolder, { recursive: true, force: true });
      }
    },
  };
}

async function createCluster(options: {
  cluster: string;
  run: (name: string, args: readonly string[]) => Promise<string>;
}): Promise<void> {
  const { cluster, run } = options;
  const fresh = `${cluster}.new`;
  await rm(cluster, { recursive: true, force: true });
  await rm(fresh, { recursive: true, force: true });
  const encoding = ['-E', 'UTF8', '--locale=C', '--no-sync'];
  await run('initdb', ['-D', fresh, '-U', 'postgres', '-A', 'trust', ...encoding]);
  await appendFile(join(fresh, 'postgresql.conf'), `include '${settingsFile}'\n`);
  await rename(fresh, cluster);
}

/** The server's own status line in its lock file: cheaper than asking over a connection. */
async function isReady(cluster: string, pid: number): Promise<boolean> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready';
}

function preparation(user: string, password: string): string {
  return `
    set client_min_messages = warning;
    create extension if not exists documentdb cascade;
    create extension if not exists documentdb_extended_rum;
    do $$ begin
      if not exists (select from pg_roles where rolname = '${user}') then
        create role ${user} login;
        grant documentdb_admin_role to ${user};
      end if;
    end $$;
    set password_encryption = 'scram-sha-256';
    alter role ${user} password '${password}';
  `;
}

async function createSocketFolder(dataFolder: string, unprivileged: Unprivileged): Promise<string> {
  let folder = join(dataFolder, 'socket');
  if (Buffer.byteLength(join(folder, '.s.PGSQL.5432.lock')) > longestSocketPath) {
    folder = await mkdtemp(join(tmpdir(), 'quicksale-'));
  }
  await mkdir(folder, { recursive: true });
  await unprivileged.own(folder);
  await chmod(folder, 0o700);
  return folder;
}

/** Runs the action until it has succeeded once. */
function once(action: () => Promise<void>): () => Promise<void> {
  let isDone = false;
  return async () => {
    if (!isDone) {
      await action();
      isDone = true;
    }
  };
}
