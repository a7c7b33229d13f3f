import { createPrivateKey, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  findFreePorts,
  serviceTable,
  startServers,
  startServices,
  type Environment,
  type Servers,
} from '@quicksale/local-stack';
import { keyIdOf, signAccessToken } from '@quicksale/shared/auth';
import type { Role } from '@quicksale/shared/contracts';
import { openLink, type Link } from './link.ts';

/** Servers and processes of a run, and what a fault can do to them. */
export interface ChaosSystem {
  supervisor: Servers['supervisor'];
  urls: Servers['urls'];
  /** Through the gateway. */
  gatewayUrl: string;
  namespace: string;
  shards: number;
  /** Where the ledger server has its append-only files. */
  ledgerFolder: string;
  /** Parts that run Node. */
  processes: readonly string[];
  links: readonly Link[];
  signIn(role: Role, userId: string): string;
  /** The clock of a process is wrong by this from now on, also after a restart. */
  shiftClock(process: string, shiftMs: number): void;
  stop(): Promise<void>;
}

const secondOrderService = 'order-service-2';

/** Which process reaches what by a variable of its own; each such way is a link. */
const ways: readonly { from: string; variable: string; to: string }[] = [
  { from: 'gateway', variable: 'INVENTORY_SERVICE_URL', to: 'inventory-service' },
  { from: 'gateway', variable: 'ORDER_SERVICE_URL', to: 'order-service' },
  { from: 'gateway', variable: 'REDIS_URL', to: 'redis' },
  { from: 'inventory-service', variable: 'REDIS_LEDGER_URL', to: 'redis-ledger' },
  { from: 'inventory-service', variable: 'MONGO_URL', to: 'mongo' },
  { from: 'inventory-service', variable: 'ORDER_SERVICE_ADMIN_URL', to: 'order-service-admin' },
  { from: 'order-service', variable: 'REDIS_LEDGER_URL', to: 'redis-ledger' },
  { from: 'order-service', variable: 'MONGO_URL', to: 'mongo' },
  { from: 'order-service', variable: 'INVENTORY_SERVICE_ADMIN_URL', to: 'inventory-admin' },
  { from: secondOrderService, variable: 'REDIS_LEDGER_URL', to: 'redis-ledger' },
  { from: secondOrderService, variable: 'MONGO_URL', to: 'mongo' },
  { from: secondOrderService, variable: 'INVENTORY_SERVICE_ADMIN_URL', to: 'inventory-admin' },
  { from: 'kafka-processor', variable: 'MONGO_URL', to: 'mongo' },
  { from: 'notifier-service', variable: 'MONGO_URL', to: 'mongo' },
  { from: 'notifier-service', variable: 'REDIS_URL', to: 'redis' },
];

/** Everything comes from one address, and faster than people click. */
const limits = {
  RATE_LIMIT_ORDERS: '100000/60',
  RATE_LIMIT_DEFAULT: '1000000/60',
  RATE_LIMIT_STRANGERS: '100000/60',
  RATE_LIMIT_WEBHOOKS: '1000000/60',
};

/**
 * Starts servers of its own and all processes, two of order-service, each way between them over a
 * link. `codeFolder`: the sources that the processes run, where they are not this checkout's.
 */
export async function startChaosSystem(options: {
  directory: string;
  env: Environment;
  codeFolder?: string;
}): Promise<ChaosSystem> {
  const { directory, codeFolder } = options;
  const {
    MONGO_URL: _m,
    REDIS_URL: _r,
    REDIS_LEDGER_URL: _l,
    KAFKA_BROKERS: _k,
    ...env
  } = options.env;
  const servers = await startServers({
    dataDirectory: directory,
    ports: 'free',
    env,
    report: () => undefined,
  });
  const links: Link[] = [];
  try {
    const variables = [...serviceTable.map(({ prefix }) => `${prefix}_ADMIN_PORT`)];
    for (const { prefix, port } of serviceTable) if (port) variables.push(`${prefix}_PORT`);
    const free = await findFreePorts(variables.length + 2, env);
    const ports: Record<string, string> = Object.fromEntries(
      variables.map((variable, index) => [variable, String(free[index + 2])]),
    );
    const copy = { port: free[0] ?? 0, adminPort: free[1] ?? 0 };
    const targets = targetPorts(servers.urls, ports, copy);
    for (const { from, to } of ways) links.push(await openLink(`${from}>${to}`, targets[to] ?? []));
    const settingsOf = (name: string) => ({
      ...Object.fromEntries(
        ways.flatMap(({ from, variable }, index) =>
          from === name ? [[variable, linkUrl(variable, servers.urls, links[index])]] : [],
        ),
      ),
      QUICKSALE_CHAOS_CLOCK_FILE: clockFile(directory, name),
      NODE_OPTIONS: `${env.NODE_OPTIONS ?? ''} --import ${clockShift}`.trim(),
    });
    const services = await startServices({
      urls: servers.urls,
      env: { ...env, ...ports, ...limits, LOG_LEVEL: 'info', NAMESPACE: 'chaos' },
      supervisor: servers.supervisor,
      ports: 'free',
      dataDirectory: directory,
      report: () => undefined,
      copies: [{ name: secondOrderService, of: 'order-service', ...copy }],
      settingsOf,
      ...(codeFolder && { codeFolder }),
    });
    return {
      supervisor: servers.supervisor,
      urls: servers.urls,
      gatewayUrl: services.env.GATEWAY_URL ?? '',
      namespace: 'chaos',
      shards: 16,
      ledgerFolder: join(directory, 'data', 'redis-ledger', 'appendonlydir'),
      processes: [...serviceTable.map(({ name }) => name), secondOrderService],
      links,
      signIn: await createSigner(services.env),
      shiftClock: (name, shiftMs) => writeFileSync(clockFile(directory, name), String(shiftMs)),
      stop: async () => {
        await servers.stop();
        await Promise.all(links.map((link) => link.close()));
      },
    };
  } catch (error) {
    await servers.stop();
    await Promise.all(links.map((link) => link.close()));
    throw error;
  }
}

const clockShift = pathToFileURL(join(import.meta.dirname, 'clock-shift.mjs')).href;
const clockFile = (directory: string, process: string) => join(directory, `${process}.clock`);

function targetPorts(
  urls: Servers['urls'],
  ports: Readonly<Record<string, string>>,
  copy: { port: number; adminPort: number },
): Record<string, number[]> {
  const of = (variable: string) => Number(ports[variable]);
  return {
    'inventory-service': [of('INVENTORY_SERVICE_PORT')],
    'inventory-admin': [of('INVENTORY_SERVICE_ADMIN_PORT')],
    'order-service': [of('ORDER_SERVICE_PORT'), copy.port],
    'order-service-admin': [of('ORDER_SERVICE_ADMIN_PORT'), copy.adminPort],
    redis: [Number(new URL(urls.REDIS_URL).port)],
    'redis-ledger': [Number(new URL(urls.REDIS_LEDGER_URL).port)],
    mongo: [Number(new URL(urls.MONGO_URL).port)],
  };
}

/** The address behind the variable, by way of the link. */
function linkUrl(variable: string, urls: Servers['urls'], link: Link | undefined): string {
  const known: Readonly<Record<string, string>> = { ...urls };
  const url = new URL(known[variable] ?? 'http://127.0.0.1');
  url.port = String(link?.port);
  return url.href.replace(/\/$/, '');
}

/** Tokens that are good by a clock that is five minutes off, either way, for most of an hour. */
async function createSigner(env: Readonly<Record<string, string>>) {
  const privateKey = createPrivateKey(await readFile(env.JWT_PRIVATE_KEY_FILE ?? ''));
  const kid = keyIdOf(privateKey);
  return (role: Role, userId: string): string =>
    signAccessToken({
      ...{ privateKey, kid, userId, role },
      issuer: env.JWT_ISSUER ?? '',
      audience: env.JWT_AUDIENCE ?? '',
      ...{ sessionId: randomUUID(), jti: randomUUID() },
      nowMs: Date.now() - 10 * 60_000,
      lifetimeSeconds: 3_600,
    });
}
