import closeWithGrace from 'close-with-grace';
import {
  ConfigError,
  loadConfig,
  type Config,
  type ConfigTable,
  type Environment,
} from '../config/index.ts';
import { createLogger, type Logger } from '../log/index.ts';
import { armFaultPoint, type FaultPoint } from './fault-point.ts';
import type { Service } from './service.ts';

const oldestNode = 24;
/** EX_CONFIG of sysexits.h: restarting does not help. */
const configExitCode = 78;
const shutdownLimitMs = 25_000;

/**
 * Life of a process: configuration, start, signals, ordered stop. A configuration that is not
 * usable ends it with 78 and every problem; a defect at start or later with 1.
 */
export async function runService<
  T extends ConfigTable & {
    logLevel: ConfigTable[string];
    fault: ConfigTable[string];
    repairsOff: ConfigTable[string];
  },
>(options: {
  name: string;
  config: T;
  env: Environment;
  build: (config: Config<T>, log: Logger) => Service;
}): Promise<void> {
  requireNode();
  const config = readConfig(options.config, options.env);
  const log = createLogger({ service: options.name, level: String(config.logLevel) });
  refuseFaultsInProduction(options.env);
  armFaultPoint(config.fault as FaultPoint | undefined);
  const service = options.build(config, log);
  closeWithGrace({ delay: shutdownLimitMs, logger: false }, async ({ err, signal }) => {
    if (err) log.fatal({ err }, 'a defect ends this process');
    else log.info({ signal }, 'stopping');
    await service.stop();
  });
  try {
    await service.start();
  } catch (error) {
    log.fatal({ err: error }, 'the service did not start');
    await service.stop();
    process.exit(1);
  }
}

/** Settings that make a process die or leave things broken. */
const faults = ['QUICKSALE_FAULT', 'QUICKSALE_REPAIRS_OFF'] as const;

function refuseFaultsInProduction(env: Environment): void {
  if (env.NODE_ENV !== 'production') return;
  for (const name of faults.filter((one) => env[one])) {
    process.stderr.write(`${name} is for tests, not for production\n`);
    process.exit(configExitCode);
  }
}

function requireNode(): void {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= oldestNode) return;
  process.stderr.write(`Node ${oldestNode} or newer is needed; this is ${process.version}.\n`);
  process.exit(1);
}

function readConfig<T extends ConfigTable>(table: T, env: Environment): Config<T> {
  try {
    return loadConfig(table, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(configExitCode);
  }
}
