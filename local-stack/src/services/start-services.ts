import { join } from 'node:path';
import { createStackFolders } from '../stack-folders.ts';
import type { ServerUrls } from '../start-servers.ts';
import type { PartOptions } from '../supervisor/part.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { findFreePorts, readPort, requireFreePort } from '../system/ports.ts';
import type { Environment, Report } from '../system/report.ts';
import { waitUntil } from '../system/wait-until.ts';
import { writeEnvFile } from './env-file.ts';
import { readOrMakeSecrets } from './secrets.ts';
import { noteworthy } from './service-log.ts';
import { portVariables, type ServiceRow, serviceTable } from './service-table.ts';

const repository = join(import.meta.dirname, '../../..');

export interface StartServicesOptions {
  readonly urls: ServerUrls;
  /** Passed on to the services; settings found here win over the launcher's own. */
  readonly env: Environment;
  readonly supervisor: Supervisor;
  readonly ports: 'default' | 'free';
  /** Gets `env` (URLs, ports, secrets), `keys` and the logs. */
  readonly dataDirectory: string;
  readonly report: Report;
}

export interface Services {
  /** Every variable the services were given: `GATEWAY_URL`, `INTERNAL_KEY` and so on. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts the six processes under the supervisor; each is ready when this resolves. */
export async function startServices(options: StartServicesOptions): Promise<Services> {
  const { supervisor } = options;
  const folders = await createStackFolders(options.dataDirectory);
  const env = await serviceEnvironment(options, folders.top);
  await writeEnvFile(join(folders.top, 'env'), env);
  const servers = supervisor.names;
  for (const row of serviceTable) {
    supervisor.add(servicePart({ row, env, servers, logFolder: folders.logs, options }));
  }
  await supervisor.start(serviceTable.map(({ name }) => name));
  return { env };
}

async function serviceEnvironment(
  options: StartServicesOptions,
  topFolder: string,
): Promise<Record<string, string>> {
  const ports = await choosePorts(options);
  const addresses: Record<string, string> = {};
  for (const [variable, port] of Object.entries(ports)) {
    addresses[variable] = String(port);
    addresses[variable.replace(/_PORT$/, '_URL')] = `http://127.0.0.1:${port}`;
  }
  const own = {
    ...options.urls,
    ...(await readOrMakeSecrets(topFolder, options.env)),
    JWT_ISSUER: 'quicksale',
    JWT_AUDIENCE: 'quicksale',
    JWKS_URL: `${addresses.AUTH_SERVICE_URL}/.well-known/jwks.json`,
    ...addresses,
    ...(options.env.NAMESPACE ? { NAMESPACE: options.env.NAMESPACE } : {}),
  };
  const given = Object.keys(own).map((name) => [name, options.env[name]] as const);
  const overrides = given.filter((entry): entry is [string, string] => Boolean(entry[1]));
  return { ...own, ...Object.fromEntries(overrides) };
}

async function choosePorts(options: StartServicesOptions): Promise<Record<string, number>> {
  const variables = serviceTable.flatMap(portVariables);
  const free = options.ports === 'free' ? await findFreePorts(variables.length) : [];
  const chosen: Record<string, number> = {};
  for (const [index, { variable, standard }] of variables.entries()) {
    const port = readPort(options.env, variable, free[index] ?? standard);
    await requireFreePort(port, variable, options.env);
    chosen[variable] = port;
  }
  return chosen;
}

function servicePart(input: {
  row: ServiceRow;
  env: Readonly<Record<string, string>>;
  servers: readonly string[];
  logFolder: string;
  options: StartServicesOptions;
}): PartOptions {
  const { row, env, options } = input;
  const readyUrl = `${env[`${row.prefix}_ADMIN_URL`]}/readyz`;
  return {
    name: row.name,
    command: process.execPath,
    args: [
      // kafkajs sets negative timers.
      '--disable-warning=TimeoutNegativeWarning',
      '--disable-warning=ExperimentalWarning',
      join(repository, row.name, 'src/main.ts'),
    ],
    env: { ...options.env, ...env, KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    cwd: repository,
    logFile: join(input.logFolder, `${row.name}.log`),
    ready: async (signal) =>
      waitUntil(async () => isReady(readyUrl, signal), { signal, intervalMs: 100 }),
    after: input.servers,
    stopTimeoutMs: 30_000,
    // A configuration that cannot be used: trying again does not help.
    finalExitCodes: [78],
    onLine: (line) => {
      const message = noteworthy(line);
      if (message !== undefined) {
        options.report({ part: row.name, state: 'note', message });
      }
    },
  };
}

async function isReady(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(2000)]);
    return (await fetch(url, { signal: limit })).ok;
  } catch {
    return false;
  }
}
