import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { obtainOnce } from '../obtain/server-cache.ts';
import { runCommand } from '../system/run-command.ts';
import type { Environment } from '../system/report.ts';

export const ferretVersion = '2.7.0';

/** FerretDB speaks MongoDB's protocol in front of PostgreSQL; compiled from its Go module. */
export async function obtainFerretDb(options: {
  cacheFolder: string;
  env: Environment;
  waiting: () => void;
}): Promise<{ command: string }> {
  const { folder } = await obtainOnce({
    ...options,
    name: `ferretdb-${ferretVersion}-1`,
    build: async (buildFolder) => {
      const module = `github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v${ferretVersion}`;
      await mkdir(join(buildFolder, 'bin'));
      const env = { ...options.env, CGO_ENABLED: '0', GOBIN: join(buildFolder, 'bin') };
      await runCommand('go', ['install', '-trimpath', '-ldflags=-s -w', module], {
        env,
        cwd: buildFolder,
        fix: 'Install Go 1.25 or newer, use Docker, or set MONGO_URL.',
      });
    },
  });
  return { command: join(folder, 'bin/ferretdb') };
}
