import { join } from 'node:path';
import { serverCacheFolder } from '../obtain/server-cache.ts';
import type { PartOptions } from '../supervisor/part.ts';
import { findFreePorts } from '../system/ports.ts';
import type { Environment } from '../system/report.ts';
import { obtainRedis } from './obtain-redis.ts';
import { createRedisPart } from './redis-part.ts';

/** How a ledger server of its own is run, for tests that run it in another way: with its files in `folder`. */
export async function ledgerServerPart(
  folder: string,
  env: Environment,
): Promise<{ part: PartOptions; url: string }> {
  const cacheFolder = serverCacheFolder(env);
  const program = await obtainRedis({ cacheFolder, env, waiting: () => undefined });
  const [port = 0] = await findFreePorts(1, env);
  const place = { dataFolder: join(folder, 'redis-ledger'), logFolder: folder };
  const part = await createRedisPart({ role: 'redis-ledger', port, program, ...place });
  return { part, url: `redis://127.0.0.1:${port}` };
}
