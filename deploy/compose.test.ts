// There is no container engine where the tests run: what can be said without one is said here. The
// processes' own config tables, with the variables that Compose would give them, are the judge.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@quicksale/shared/config';
import { serverImages } from '../local-stack/src/docker/docker-engine.ts';
import { redisSettings } from '../local-stack/src/redis/redis-part.ts';
import { configTables } from '../tools/env-example.ts';
import { readComposeFile, type ComposeService } from './compose-file.ts';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'quicksale-compose-'));
afterAll(() => rmSync(folder, { recursive: true }));

const makeSecrets = () =>
  execFileSync(process.execPath, [join(root, 'deploy/make-secrets.cjs'), folder]);
makeSecrets();
const envFile = () => readFileSync(join(folder, '.env'), 'utf8');
const variables = Object.fromEntries(
  envFile()
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('=', 2) as [string, string]),
);
const file = join(root, 'docker-compose.yml');
const { services, secrets, volumes } = readComposeFile(file, variables);
const service = (name: string): ComposeService => {
  const found = services[name];
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
};
const processes = Object.keys(configTables);
const stores = ['redis', 'redis-ledger', 'mongo', 'kafka'];

/** What the process would see, but for the folder of its secrets. */
function environmentOf(name: string): Record<string, string> {
  const entries = Object.entries(service(name).environment ?? {}).map(([variable, value]) => {
    const secret = /^\/run\/secrets\/(.+)$/.exec(String(value))?.[1];
    if (secret === undefined) return [variable, String(value)];
    if (!service(name).secrets?.includes(secret)) throw new Error(`${name} lacks ${secret}`);
    return [variable, join(folder, secrets[secret]?.file ?? '')];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

/** The ports that a service of the file listens on, by what they are for. */
function portsOf(name: string): { public?: number; admin?: number } {
  const kafkaPort = /INTERNAL:\/\/:(\d+)/.exec(
    String(service('kafka').environment?.KAFKA_LISTENERS),
  )?.[1];
  const known: Record<string, number> = { redis: 6379, 'redis-ledger': 6379, mongo: 27017 };
  if (name === 'kafka') return { public: Number(kafkaPort) };
  if (name in known) return { public: known[name] };
  const config = loadConfig(configTables[name] ?? {}, environmentOf(name)) as {
    port?: number;
    adminPort?: number;
  };
  return { public: config.port, admin: config.adminPort };
}

/** Every address in a service's variables: which variable, which host, which port. */
function addressesOf(name: string): { variable: string; host: string; port: number }[] {
  return Object.entries(environmentOf(name))
    .filter(([variable]) => /_URL$|_BROKERS$/.test(variable))
    .flatMap(([variable, value]) =>
      value.split(',').map((one) => {
        const { hostname, port } = new URL(one.includes('://') ? one : `kafka://${one}`);
        return { variable, host: hostname, port: Number(port) };
      }),
    );
}

describe.each(processes)('%s in docker-compose.yml', (name) => {
  const table = configTables[name] ?? {};
  const environment = environmentOf(name);

  it('is the one image with its own command', () => {
    expect(service(name)).toMatchObject({
      image: 'quicksale:local',
      command: ['node', `${name}/src/main.ts`],
      profiles: ['core'],
    });
    expect(service(name).pull_policy).toBe(service(name).build ? 'build' : 'never');
  });

  it('sets only variables that its config table has, each once', () => {
    const known = new Set(Object.values(table).map(({ env }) => env));
    const forTests = ['QUICKSALE_FAULT', 'QUICKSALE_REPAIRS_OFF'];
    const unknown = Object.keys(environment).filter(
      (variable) => !known.has(variable) && !known.has(variable.replace(/_FILE$/, '')),
    );
    expect(unknown).toEqual([]);
    expect(Object.keys(environment).filter((variable) => forTests.includes(variable))).toEqual([]);
  });

  it('sets all that its config table requires', () => {
    expect(() => loadConfig(table, environment)).not.toThrow();
    expect(() => loadConfig(table, {})).toThrow('is not set');
  });

  it('is given every address: none of the defaults, which are on loopback, is left', () => {
    const defaults = Object.values(table).filter(({ example }) => /127\.0\.0\.1:\d/.test(example));
    expect(defaults.map(({ env }) => env).filter((env) => !(env in environment))).toEqual([]);
  });

  it('listens on all addresses of its container', () => {
    expect(environment.HOST).toBe('0.0.0.0');
  });

  it('finds each other service under its name and port', () => {
    for (const { variable, host, port } of addressesOf(name)) {
      expect([variable, host]).toEqual([variable, hostOf(variable)]);
      const expected = variable.endsWith('_ADMIN_URL') ? portsOf(host).admin : portsOf(host).public;
      expect([variable, port]).toEqual([variable, expected]);
    }
  });

  it('waits for the stores that it uses', () => {
    const used = addressesOf(name).map(({ host }) => host);
    const needed = used.filter((host) => stores.includes(host));
    const conditions = Object.entries(service(name).depends_on ?? {}).map(
      ([other, { condition }]) => [other, condition],
    );
    for (const store of needed)
      expect(conditions).toContainEqual(
        store === 'mongo'
          ? ['mongo-init', 'service_completed_successfully']
          : [store, 'service_healthy'],
      );
  });

  it('is asked for its health on its own admin port, the one variable that the probe looks for', () => {
    const adminPorts = Object.keys(environment).filter((one) => one.endsWith('_ADMIN_PORT'));
    expect(adminPorts).toEqual([table.adminPort?.env]);
    expect(environment[String(adminPorts[0])]).toBe(table.adminPort?.example);
    // The image has the check.
    expect(service(name).healthcheck).toBeUndefined();
  });

  it('can write nothing, has no rights, and gets the time to finish', () => {
    expect(service(name)).toMatchObject({
      init: true,
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      stop_grace_period: '30s',
    });
  });
});

/** The service that a variable speaks of. */
function hostOf(variable: string): string {
  const special: Record<string, string> = {
    JWKS_URL: 'auth-service',
    REDIS_URL: 'redis',
    REDIS_LEDGER_URL: 'redis-ledger',
    MONGO_URL: 'mongo',
    KAFKA_BROKERS: 'kafka',
  };
  const own = variable.replace(/(_ADMIN)?_URL$/, '').toLowerCase();
  return special[variable] ?? own.replaceAll('_', '-');
}

describe('docker-compose.yml', () => {
  it('lets in nobody but through the gateway and the socket', () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => [name, port]),
    );
    const both = (name: string) => `${portsOf(name).public}:${portsOf(name).public}`;
    expect(published).toEqual([
      ['gateway', both('gateway')],
      ['notifier-service', both('notifier-service')],
    ]);
  });

  it('has merchants made by somebody', () => {
    expect(environmentOf('auth-service').MERCHANT_SIGN_UP).toBe('off');
  });

  it('builds the image once', () => {
    const built = Object.entries(services).filter(([, { build }]) => build);
    expect(built.map(([name, { build }]) => [name, build?.dockerfile])).toEqual([
      ['gateway', 'deploy/image/Dockerfile'],
    ]);
  });

  it('runs the commands with addresses that are right, in a profile of their own', () => {
    expect(service('quicksale').profiles).toEqual(['tools']);
    for (const { variable, host, port } of addressesOf('quicksale')) {
      expect([variable, host]).toEqual([variable, hostOf(variable)]);
      const expected = variable.endsWith('_ADMIN_URL') ? portsOf(host).admin : portsOf(host).public;
      expect([variable, port]).toEqual([variable, expected]);
    }
  });

  it.each(stores)('keeps what %s has, and can tell how it is', (name) => {
    const kept = service(name).volumes?.map((volume) => volume.split(':')[0] ?? '') ?? [];
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.filter((volume) => !(volume in volumes))).toEqual([]);
    expect(service(name).healthcheck?.test?.length).toBeGreaterThan(1);
    expect(service(name).healthcheck?.start_period).toMatch(/^\d+s$/);
    expect(service(name).stop_grace_period).toBe('30s');
  });

  it.each(['redis', 'redis-ledger'] as const)('runs %s with the settings of that role', (name) => {
    const [program, ...words] = service(name).command ?? [];
    const pairs = words.flatMap((word, index) =>
      word.startsWith('--') ? [[word.slice(2), words[index + 1]]] : [],
    );
    // For the chaos tests only.
    const { 'enable-debug-command': _, ...settings } = redisSettings(name);
    expect([program, Object.fromEntries(pairs)]).toEqual(['redis-server', settings]);
    expect(words.length).toBe(2 * pairs.length);
  });

  it('runs the images that the launcher runs', () => {
    const { redis, mongo, kafka } = serverImages;
    const images = [...stores, 'mongo-init'].map((name) => service(name).image);
    expect(images).toEqual([redis, redis, mongo, kafka, mongo]);
  });

  it('makes the replica set that the services look for', () => {
    const url = new URL(String(environmentOf('order-service').MONGO_URL));
    const set = url.searchParams.get('replicaSet');
    expect(service('mongo').command?.slice(0, 3)).toEqual(['mongod', '--replSet', set]);
    const script = service('mongo-init').command?.at(-1);
    expect(script).toContain(
      `rs.initiate({ _id: '${set}', members: [{ _id: 0, host: '${url.host}'`,
    );
  });

  it('has brokers named by the address under which they listen', () => {
    const { environment = {} } = service('kafka');
    const read = (variable: string) =>
      [...String(environment[variable]).matchAll(/([A-Z]+):\/\/([\w.]*):(\d+)/g)].map(
        ([, listener, , port]) => `${listener}:${port}`,
      );
    expect(read('KAFKA_LISTENERS')).toEqual(['INTERNAL:19092', 'HOST:9092', 'CONTROLLER:9093']);
    expect(read('KAFKA_ADVERTISED_LISTENERS')).toEqual(read('KAFKA_LISTENERS').slice(0, 2));
    expect(String(environment.KAFKA_CONTROLLER_QUORUM_VOTERS)).toMatch(/:9093$/);
    expect(service('kafka').healthcheck?.test?.at(-1)).toBe('127.0.0.1:9092');
    expect(String(service('kafka').volumes)).toContain(`:${environment.KAFKA_LOG_DIRS}`);
  });

  it('opens the stores to this machine alone, and only when asked', () => {
    const host = readComposeFile(join(root, 'deploy/compose.host.yml'), {});
    const published = Object.entries(host.services).map(([name, { ports }]) => [name, ports]);
    expect(published).toEqual([
      ['redis', ['127.0.0.1:6379:6379']],
      ['redis-ledger', ['127.0.0.1:6380:6379']],
      ['mongo', ['127.0.0.1:27017:27017']],
      ['kafka', ['127.0.0.1:9092:9092']],
    ]);
  });
});

describe('the secrets', () => {
  it('have no default: Compose refuses the file and says what to do', () => {
    const { INTERNAL_KEY_FILE: _key, ...withoutKey } = variables;
    const { JWT_PRIVATE_KEY_FILE: _file, ...withoutSigningKey } = variables;
    for (const some of [withoutKey, withoutSigningKey])
      expect(() => readComposeFile(file, some)).toThrow('node deploy/make-secrets.cjs');
  });

  it('are made once, readable in the containers and to nobody else on this machine', () => {
    const read = () => Object.values(secrets).map((one) => readFileSync(join(folder, one.file)));
    const before = [envFile(), ...read().map(String)];
    makeSecrets();
    expect([envFile(), ...read().map(String)]).toEqual(before);
    expect(statSync(join(folder, 'deploy/secrets')).mode & 0o777).toBe(0o700);
    for (const one of Object.values(secrets))
      expect(statSync(join(folder, one.file)).mode & 0o777).toBe(0o444);
    expect(envFile()).toContain('COMPOSE_PROFILES=core\n');
  });

  it('are kept out of the repository and of the image', () => {
    expect(readFileSync(join(root, '.gitignore'), 'utf8')).toMatch(/^\.env\ndeploy\/secrets\/$/m);
    const [first, ...rest] = readFileSync(join(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).toBe('*');
    expect(rest.filter((line) => /env|secret/.test(line))).toEqual([]);
  });
});
