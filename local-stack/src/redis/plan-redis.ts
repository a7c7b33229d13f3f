import { join } from 'node:path';
import { dockerRedis } from '../docker/docker-engine.ts';
import { obtainWithReport, type Plan, type Planned } from '../plan.ts';
import { obtainRedis, type RedisProgram } from './obtain-redis.ts';
import { createRedisPart, type RedisRole } from './redis-part.ts';

const kinds = {
  redis: { variable: 'REDIS_PORT', standardPort: 6379 },
  'redis-ledger': { variable: 'REDIS_LEDGER_PORT', standardPort: 6380 },
} as const;

/** For both servers, which run the same program. */
export function createRedisPlanner(plan: Plan): (role: RedisRole) => Promise<Planned> {
  const { data, logs } = plan.folders;
  let obtained: Promise<RedisProgram> | undefined;
  return async (role) => {
    const port = await plan.choosePort(kinds[role].variable, kinds[role].standardPort);
    const url = `redis://127.0.0.1:${port}`;
    if (await plan.hasDocker()) {
      const place = { dataFolder: data, logFolder: logs, env: plan.env };
      await plan.run([dockerRedis(role, port, place)]);
      return { url, source: 'Docker' };
    }
    const program = await (obtained ??= obtainWithReport(plan, 'redis', obtainRedis));
    const folders = { dataFolder: join(data, role), logFolder: logs };
    await plan.run([await createRedisPart({ role, port, program, ...folders })]);
    return { url, source: program.source };
  };
}
