import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { debianMachine, hostSuite, unpackDebianPackages } from '../obtain/debian-packages.ts';
import { obtainOnce } from '../obtain/server-cache.ts';
import { findProgram } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';
import type { Environment } from '../system/report.ts';

export interface RedisProgram {
  readonly command: string;
  readonly env: Environment;
  readonly source: string;
}

export async function obtainRedis(options: {
  cacheFolder: string;
  env: Environment;
  waiting: () => void;
}): Promise<RedisProgram> {
  const { env } = options;
  const base = { PATH: env.PATH, HOME: env.HOME, LC_ALL: 'C' };
  const onPath = await findProgram('redis-server', env);
  if (onPath !== undefined) {
    return { command: onPath, env: base, source: `on PATH: ${onPath}` };
  }
  const { triplet } = debianMachine();
  const suite = await hostSuite();
  const { folder } = await obtainOnce({
    ...options,
    name: `redis-${suite}-1`,
    build: async (buildFolder) => {
      const workFolder = join(buildFolder, 'apt');
      const root = join(buildFolder, 'root');
      await unpackDebianPackages({
        packages: ['redis-server'],
        dependencies: 'missing-on-host',
        workFolder,
        targetFolder: root,
        env,
      });
      await rm(workFolder, { recursive: true });
      await keepPrograms(buildFolder, root);
      const program = join(buildFolder, 'bin/redis-server');
      await runCommand(program, ['--version'], {
        env: { ...base, LD_LIBRARY_PATH: join(buildFolder, 'lib', triplet) },
      });
    },
  });
  return {
    command: join(folder, 'bin/redis-server'),
    env: { ...base, LD_LIBRARY_PATH: join(folder, 'lib', triplet) },
    source: `Debian packages (${suite})`,
  };
}

/** Of a whole system tree, the programs and their libraries. */
async function keepPrograms(folder: string, root: string): Promise<void> {
  await rename(join(root, 'usr/bin'), join(folder, 'bin'));
  await rename(join(root, 'usr/lib'), join(folder, 'lib'));
  await rm(root, { recursive: true });
}
