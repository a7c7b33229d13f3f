import { readdir } from 'node:fs/promises';
import { isDockerThere } from './docker/docker-engine.ts';
import { findLauncher } from './launcher-lock.ts';
import { stackFolders } from './stack-folders.ts';
import { findJava } from './kafka/obtain-kafka.ts';
import { hostSuite } from './obtain/debian-packages.ts';
import { serverCacheFolder } from './obtain/server-cache.ts';
import { portVariables, serviceTable } from './services/service-table.ts';
import { exists, findProgram } from './system/find-program.ts';
import { describePortHolder, isPortFree, readPort } from './system/ports.ts';
import type { Environment } from './system/report.ts';
import { tryCommand } from './system/run-command.ts';

export interface Finding {
  readonly name: string;
  readonly status: 'ok' | 'missing' | 'not needed';
  readonly detail: string;
}

const serverPorts = [
  { variable: 'REDIS_PORT', standard: 6379, url: 'REDIS_URL' },
  { variable: 'REDIS_LEDGER_PORT', standard: 6380, url: 'REDIS_LEDGER_URL' },
  { variable: 'MONGO_PORT', standard: 27017, url: 'MONGO_URL' },
  { variable: 'KAFKA_PORT', standard: 9092, url: 'KAFKA_BROKERS' },
  { variable: 'KAFKA_CONTROLLER_PORT', standard: 9093, url: 'KAFKA_BROKERS' },
];

/** Looks at everything a start needs; a finding with status `missing` makes a start impossible. */
export async function examineMachine(options: {
  dataDirectory: string;
  env: Environment;
}): Promise<Finding[]> {
  const { env } = options;
  const docker = await isDockerThere(env);
  const cached = await cachedServers(env);
  const has = (prefix: string): boolean => cached.some((name) => name.startsWith(prefix));
  const mongoGiven = docker || Boolean(env.MONGO_URL) || (await onPath('mongod', env));
  const redisGiven =
    docker || Boolean(env.REDIS_URL && env.REDIS_LEDGER_URL) || (await onPath('redis-server', env));
  const kafkaGiven = docker || Boolean(env.KAFKA_BROKERS);
  const debianNeeded = !(redisGiven || has('redis-')) || !(mongoGiven || has('postgresql-'));
  return [
    nodeFinding(),
    {
      name: 'Docker engine',
      status: docker ? 'ok' : 'not needed',
      detail: docker ? 'answers' : 'none',
    },
    await javaFinding(env, !kafkaGiven),
    await toolFinding(
      'Maven',
      ['mvn', '--version'],
      /Maven (\d[\d.]*)/,
      env,
      !kafkaGiven && !has('kafka-'),
    ),
    await toolFinding('Go', ['go', 'version'], /go(\d\S+)/, env, !mongoGiven && !has('ferretdb-')),
    await debianFinding(env, debianNeeded),
    {
      name: 'Cache',
      status: 'ok',
      detail: `${serverCacheFolder(env)}: ${cached.join(', ') || 'empty'}`,
    },
    ...(await portFindings(options)),
  ];
}

export function formatFindings(findings: readonly Finding[]): string {
  const marks = { ok: 'ok', missing: 'MISSING', 'not needed': '-' } as const;
  return findings
    .map(
      ({ name, status, detail }) => `  ${marks[status].padEnd(8)} ${name.padEnd(16)} ${detail}\n`,
    )
    .join('');
}

function nodeFinding(): Finding {
  const isNew = Number(process.versions.node.split('.')[0]) >= 24;
  return {
    name: 'Node',
    status: isNew ? 'ok' : 'missing',
    detail: `${process.version} (24 needed)`,
  };
}

async function javaFinding(env: Environment, isNeeded: boolean): Promise<Finding> {
  const java = await findJava(env);
  const isNew = java !== undefined && java.version >= 17;
  const detail = java === undefined ? 'none (17 needed)' : `${java.version} at ${java.path}`;
  return { name: 'Java', status: rate(isNew, isNeeded), detail };
}

async function toolFinding(
  name: string,
  [command = '', ...args]: readonly string[],
  pattern: RegExp,
  env: Environment,
  isNeeded: boolean,
): Promise<Finding> {
  const text = await tryCommand(command, args, { env, timeoutMs: 20_000 });
  const version = pattern.exec(text ?? '')?.[1];
  return { name, status: rate(version !== undefined, isNeeded), detail: version ?? 'none' };
}

async function debianFinding(env: Environment, isNeeded: boolean): Promise<Finding> {
  const suite = await hostSuite().catch(() => undefined);
  const hasTools = (await onPath('apt-get', env)) && (await onPath('dpkg-deb', env));
  const detail = `${suite ?? 'no Debian'}, apt and dpkg ${hasTools ? 'there' : 'not there'}`;
  return {
    name: 'Debian packages',
    status: rate(suite !== undefined && hasTools, isNeeded),
    detail,
  };
}

async function portFindings(options: {
  dataDirectory: string;
  env: Environment;
}): Promise<Finding[]> {
  const { env } = options;
  const launcher = await findLauncher(stackFolders(options.dataDirectory).run, env);
  if (launcher !== undefined) {
    const detail = `held by QuickSale itself, which is running (process ${launcher})`;
    return [{ name: 'Ports', status: 'ok', detail }];
  }
  const wanted = [
    ...serverPorts.filter(({ url }) => !env[url]),
    ...serviceTable.flatMap(portVariables),
  ];
  const taken: Finding[] = [];
  for (const { variable, standard } of wanted) {
    const port = readPort(env, variable, standard);
    if (!(await isPortFree(port))) {
      const holder = await describePortHolder(port, env);
      const detail = `in use by ${holder}; set ${variable}`;
      taken.push({ name: `Port ${port}`, status: 'missing', detail });
    }
  }
  const allFree: Finding = { name: 'Ports', status: 'ok', detail: `all ${wanted.length} are free` };
  return taken.length === 0 ? [allFree] : taken;
}

async function cachedServers(env: Environment): Promise<string[]> {
  const folder = serverCacheFolder(env);
  const entries = (await exists(folder)) ? await readdir(folder) : [];
  return entries.filter((name) => !name.includes('.lock') && !name.includes('.building-')).sort();
}

async function onPath(name: string, env: Environment): Promise<boolean> {
  return (await findProgram(name, env)) !== undefined;
}

function rate(isThere: boolean, isNeeded: boolean): Finding['status'] {
  if (isThere) {
    return 'ok';
  }
  return isNeeded ? 'missing' : 'not needed';
}
