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
  /** Root of the sources that are run; this checkout when absent. */
  readonly codeFolder?: string;
  /** More processes of services that are there. */
  readonly copies?: readonly ServiceCopy[];
  /** What a process is given besides what all are given, by its name. */
  readonly settingsOf?: (name: string) => Environment;
}

/** One more process of a service, under a name and ports of its own. */
export interface ServiceCopy {
  readonly name: string;
  readonly of: string;
  readonly port: number;
  readonly adminPort: number;
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
  const place = { env, servers, logFolder: folders.logs, options };
  const parts = [
    ...serviceTable.map((row) => {
      const readyUrl = `${env[`${row.prefix}_ADMIN_URL`]}/readyz`;
      return servicePart({ ...place, name: row.name, row, readyUrl });
    }),
    ...(options.copies ?? []).map((copy) => copyPart(place, copy)),
  ];
  for (const part of parts) {
    supervisor.add(part);
  }
  await supervisor.start(parts.map(({ name }) => name));
  return { env };
}

function copyPart(
  place: Pick<Parameters<typeof servicePart>[0], 'env' | 'servers' | 'logFolder' | 'options'>,
  copy: ServiceCopy,
): PartOptions {
  const row = serviceTable.find(({ name }) => name === copy.of);
  if (row === undefined) {
    throw new Error(`There is no service named ${copy.of}`);
  }
  const ports = {
    [`${row.prefix}_PORT`]: String(copy.port),
    [`${row.prefix}_ADMIN_PORT`]: String(copy.adminPort),
  };
  const readyUrl = `http://127.0.0.1:${copy.adminPort}/readyz`;
  return servicePart({ ...place, name: copy.name, row, readyUrl, more: ports });
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
  const free = options.ports === 'free' ? await findFreePorts(variables.length, options.env) : [];
  const chosen: Record<string, number> = {};
  for (const [index, { variable, standard }] of variables.entries()) {
    const port = readPort(options.env, variable, free[index] ?? standard);
    await requireFreePort(port, variable, options.env);
    chosen[variable] = port;
  }
  return chosen;
}

function servicePart(input: {
  name: string;
  row: ServiceRow;
  readyUrl: string;
  env: Readonly<Record<string, string>>;
  /** Wins over `env`. */
  more?: Environment;
  servers: readonly string[];
  logFolder: string;
  options: StartServicesOptions;
}): PartOptions {
  const { name, row, readyUrl, env, options } = input;
  const own = { ...input.more, ...options.settingsOf?.(name) };
  return {
    name,
    command: process.execPath,
    args: [
      // kafkajs sets negative timers.
      '--disable-warning=TimeoutNegativeWarning',
      '--disable-warning=ExperimentalWarning',
      join(options.codeFolder ?? repository, row.name, 'src/main.ts'),
    ],
    env: { ...options.env, ...env, KAFKAJS_NO_PARTITIONER_WARNING: '1', ...own },
    cwd: options.codeFolder ?? repository,
    logFile: join(input.logFolder, `${name}.log`),
    ready: async (signal) =>
      waitUntil(async () => isReady(readyUrl, signal), { signal, intervalMs: 100 }),
    after: input.servers,
    stopTimeoutMs: 30_000,
    // A configuration that cannot be used: trying again does not help.
    finalExitCodes: [78],
    onLine: (line) => {
      const message = noteworthy(line);
      if (message !== undefined) {
        options.report({ part: name, state: 'note', message });
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
