import { join } from 'node:path';
import { lockFolder } from '../launcher-lock.ts';
import { serverCacheFolder } from '../obtain/server-cache.ts';
import { createStackFolders } from '../stack-folders.ts';
import { createSupervisor, type Supervisor } from '../supervisor/supervisor.ts';
import { findFreePorts } from '../system/ports.ts';
import type { Environment } from '../system/report.ts';
import { StackError } from '../system/stack-error.ts';
import { exchangeBytes, waitUntil } from '../system/wait-until.ts';
import { obtainRedis } from './obtain-redis.ts';
import { createRedisPart } from './redis-part.ts';

const slots = 16_384;
const formedWithinMs = 30_000;

export interface LedgerCluster {
  /** `REDIS_LEDGER_URL`: every master, comma separated. */
  readonly url: string;
  readonly supervisor: Supervisor;
  /** Names of the masters in the supervisor, in the order of their addresses in `url`. */
  readonly names: readonly string[];
  stop(): Promise<void>;
}

/**
 * Ledger servers that share the slots as masters of one Redis Cluster, without replicas, on free
 * ports of the loopback interface. For tests: `dataDirectory` is as for `startServers`.
 */
export async function startLedgerCluster(options: {
  dataDirectory: string;
  env: Environment;
  masters?: number;
}): Promise<LedgerCluster> {
  const { env, masters = 3 } = options;
  const folders = await createStackFolders(options.dataDirectory);
  const { unlock } = await lockFolder({ runFolder: folders.run, env });
  const supervisor = await createSupervisor({ pidFolder: folders.run, env });
  const stop = async (): Promise<void> => {
    await supervisor.stop();
    await unlock();
  };
  try {
    const cacheFolder = serverCacheFolder(env);
    const program = await obtainRedis({ cacheFolder, env, waiting: () => undefined });
    const ports = await findFreePorts(2 * masters, env);
    const nodes = Array.from({ length: masters }, (_, index) => ({
      name: `redis-ledger-${index + 1}`,
      port: ports[2 * index] ?? 0,
      busPort: ports[2 * index + 1] ?? 0,
      firstSlot: Math.ceil((slots * index) / masters),
      lastSlot: Math.ceil((slots * (index + 1)) / masters) - 1,
    }));
    for (const { name, port, busPort } of nodes) {
      const more = {
        'cluster-enabled': 'yes',
        'cluster-port': String(busPort),
        // The others keep selling while one is away.
        'cluster-require-full-coverage': 'no',
      };
      const place = { dataFolder: join(folders.data, name), logFolder: folders.logs };
      supervisor.add(
        await createRedisPart({ role: 'redis-ledger', port, program, name, more, ...place }),
      );
    }
    await supervisor.start();
    for (const [index, { port, firstSlot, lastSlot }] of nodes.entries()) {
      await command(port, `CLUSTER ADDSLOTSRANGE ${firstSlot} ${lastSlot}`);
      await command(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
    }
    for (const { port, busPort } of nodes.slice(1))
      await command(nodes[0]?.port ?? 0, `CLUSTER MEET 127.0.0.1 ${port} ${busPort}`);
    await waitUntil(async () => isFormed(nodes.map(({ port }) => port)), {
      signal: AbortSignal.timeout(formedWithinMs),
      intervalMs: 50,
    });
    return {
      url: nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(','),
      supervisor,
      names: nodes.map(({ name }) => name),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Every node sees all the others, and an owner for every slot. */
async function isFormed(ports: readonly number[]): Promise<boolean> {
  const states = await Promise.all(ports.map(async (port) => command(port, 'CLUSTER INFO')));
  return states.every(
    (state) =>
      state.includes('cluster_state:ok') &&
      state.includes(`cluster_slots_assigned:${slots}\r`) &&
      state.includes(`cluster_size:${ports.length}\r`),
  );
}

/** One command in the inline form, and its reply as it comes. */
async function command(port: number, line: string): Promise<string> {
  const reply = await exchangeBytes({
    port,
    request: Buffer.from(`${line}\r\n`),
    isComplete: (bytes) => /^[+-].*\r\n$|^\$(\d+)\r\n[^]*\r\n$/.test(bytes.toString('latin1')),
    timeoutMs: 2_000,
  });
  const text = reply?.toString('latin1') ?? '-ERR no answer';
  if (text.startsWith('-')) throw new StackError(`${line}: ${text.trim()}`);
  return text;
}
