import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartOptions } from '../supervisor/part.ts';
import { exchangeBytes, waitUntil } from '../system/wait-until.ts';
import type { RedisProgram } from './obtain-redis.ts';

export type RedisRole = 'redis' | 'redis-ledger';

/** Settings of the two servers, the same in every way of running them. */
export function redisSettings(role: RedisRole): Record<string, string> {
  const both = {
    appendonly: 'yes',
    // Neither may drop keys: the work server holds queues, the ledger the stock itself.
    'maxmemory-policy': 'noeviction',
    // The chaos tests make a server stall or crash from inside.
    'enable-debug-command': 'local',
  };
  return role === 'redis'
    ? { ...both, appendfsync: 'everysec' }
    : // What the ledger has answered must survive a crash, so every write reaches the disk first.
      { ...both, appendfsync: 'always', 'no-appendfsync-on-rewrite': 'no', save: '' };
}

export async function createRedisPart(options: {
  role: RedisRole;
  port: number;
  program: RedisProgram;
  dataFolder: string;
  logFolder: string;
  /** The role's name by default. */
  name?: string;
  /** What is set besides the role's own settings. */
  more?: Readonly<Record<string, string>>;
}): Promise<PartOptions> {
  const { role, port, program, name = role } = options;
  await mkdir(options.dataFolder, { recursive: true });
  const own = { bind: '127.0.0.1', port: String(port), dir: options.dataFolder, daemonize: 'no' };
  const settings = Object.entries({ ...own, ...redisSettings(role), ...options.more });
  return {
    name,
    command: program.command,
    args: settings.flatMap(([setting, value]) => [`--${setting}`, value]),
    env: program.env,
    cwd: options.dataFolder,
    logFile: join(options.logFolder, `${name}.log`),
    ready: async (signal) => waitForRedis(port, signal),
  };
}

/** PING is answered with PONG; while the file is being loaded, with an error. */
export async function waitForRedis(port: number, signal: AbortSignal): Promise<void> {
  await waitUntil(
    async () => {
      const reply = await exchangeBytes({
        port,
        request: Buffer.from('PING\r\n'),
        isComplete: (bytes) => bytes.includes('\r\n'),
        timeoutMs: 1000,
      });
      return reply?.toString('latin1').startsWith('+PONG') === true;
    },
    { signal, intervalMs: 20 },
  );
}
