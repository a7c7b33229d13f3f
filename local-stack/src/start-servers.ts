import { createStackFolders } from './stack-folders.ts';
import { isDockerThere } from './docker/docker-engine.ts';
import { planKafka } from './kafka/plan-kafka.ts';
import { lockFolder } from './launcher-lock.ts';
import { planMongo } from './mongo/plan-mongo.ts';
import { serverCacheFolder } from './obtain/server-cache.ts';
import type { Plan, Planned } from './plan.ts';
import { createRedisPlanner } from './redis/plan-redis.ts';
import { createSupervisor, type Supervisor } from './supervisor/supervisor.ts';
import { findFreePorts, readPort, requireFreePort } from './system/ports.ts';
import type { Environment, Report } from './system/report.ts';
import { StackError } from './system/stack-error.ts';

export interface ServerUrls {
  readonly MONGO_URL: string;
  readonly REDIS_URL: string;
  readonly REDIS_LEDGER_URL: string;
  readonly KAFKA_BROKERS: string;
}

export interface Servers {
  readonly urls: ServerUrls;
  readonly supervisor: Supervisor;
  /** Which way each server was obtained, for people. */
  readonly sources: Readonly<Record<keyof ServerUrls, string>>;
  stop(): Promise<void>;
}

export interface StartServersOptions {
  /** Gets the folders data, logs and run. One launcher at a time. */
  readonly dataDirectory: string;
  readonly ports: 'default' | 'free';
  /** URLs found here are used instead of starting that server. */
  readonly env: Environment;
  readonly report: Report;
  /** Gives up a start that is under way. */
  readonly signal?: AbortSignal;
}

/** Gets and starts the four servers side by side; each is up when this resolves. */
export async function startServers(options: StartServersOptions): Promise<Servers> {
  const { env, report } = options;
  const folders = await createStackFolders(options.dataDirectory);
  const { leftovers, unlock } = await lockFolder({ runFolder: folders.run, env });
  for (const part of leftovers) {
    report({ part, state: 'note', message: 'ended what a killed launcher had left running' });
  }
  const supervisor = await createSupervisor({ pidFolder: folders.run, env });
  reportLife(supervisor, report);
  const endings: (() => Promise<void>)[] = [];
  let isStopped = false;
  const stop = async (): Promise<void> => {
    isStopped = true;
    await supervisor.stop();
    for (const action of endings.splice(0)) {
      await action();
    }
    await unlock();
  };
  let docker: Promise<boolean> | undefined;
  const plan: Plan = {
    cacheFolder: serverCacheFolder(env),
    folders,
    env,
    report,
    choosePort: async (variable, standard) => choosePort(options, variable, standard),
    hasDocker: async () => (docker ??= isDockerThere(env)),
    run: async (parts) => {
      // Another server failed meanwhile and everything is being stopped: do not start late.
      if (isStopped) {
        throw new StackError('the start was given up');
      }
      for (const part of parts) {
        supervisor.add(part);
      }
      await supervisor.start(parts.map(({ name }) => name));
    },
    atEnd: (action) => endings.push(action),
  };
  try {
    const planRedis = createRedisPlanner(plan);
    const started = Promise.all([
      useOr(env.MONGO_URL, async () => planMongo(plan)),
      useOr(env.REDIS_URL, async () => planRedis('redis')),
      useOr(env.REDIS_LEDGER_URL, async () => planRedis('redis-ledger')),
      useOr(env.KAFKA_BROKERS, async () => planKafka(plan)),
    ]);
    const [mongo, redis, ledger, kafka] = await Promise.race([started, aborted(options.signal)]);
    return {
      urls: {
        MONGO_URL: mongo.url,
        REDIS_URL: redis.url,
        REDIS_LEDGER_URL: ledger.url,
        KAFKA_BROKERS: kafka.url,
      },
      supervisor,
      sources: {
        MONGO_URL: mongo.source,
        REDIS_URL: redis.source,
        REDIS_LEDGER_URL: ledger.source,
        KAFKA_BROKERS: kafka.source,
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const giveUp = (): void => reject(new StackError('the start was given up'));
    if (signal?.aborted === true) {
      giveUp();
    }
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}

async function useOr(url: string | undefined, plan: () => Promise<Planned>): Promise<Planned> {
  return url ? { url, source: 'URL from the environment' } : plan();
}

async function choosePort(
  options: StartServersOptions,
  variable: string,
  standard: number,
): Promise<number> {
  if (options.ports === 'free' && !options.env[variable]) {
    const [port = 0] = await findFreePorts(1, options.env);
    return port;
  }
  const port = readPort(options.env, variable, standard);
  await requireFreePort(port, variable, options.env);
  return port;
}

function reportLife(supervisor: Supervisor, report: Report): void {
  supervisor.on('up', ({ name, elapsedMs }) => {
    report({ part: name, state: 'up', message: 'up', elapsedMs });
  });
  supervisor.on('down', ({ name, reason }) => {
    report({ part: name, state: 'down', message: reason });
  });
  supervisor.on('restarting', ({ name, delayMs }) => {
    report({ part: name, state: 'restarting', message: `starting again in ${delayMs} ms` });
  });
}
