import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { obtainOnce, serverCacheFolder } from '../obtain/server-cache.ts';
import type { Environment } from '../system/report.ts';
import { runCommand } from '../system/run-command.ts';

const version = '0.203.0';

/** Stripe's own stand-in for its API, for tests; compiled from its Go module. */
export async function obtainStripeMock(env: Environment): Promise<{ command: string }> {
  const { folder } = await obtainOnce({
    cacheFolder: serverCacheFolder(env),
    name: `stripe-mock-${version}-1`,
    env,
    build: async (buildFolder) => {
      const module = `github.com/stripe/stripe-mock@v${version}`;
      await mkdir(join(buildFolder, 'bin'));
      await runCommand('go', ['install', '-trimpath', '-ldflags=-s -w', module], {
        env: { ...env, CGO_ENABLED: '0', GOBIN: join(buildFolder, 'bin') },
        cwd: buildFolder,
        fix: 'Install Go 1.22 or newer: the tests of the Stripe adapter compile stripe-mock.',
      });
    },
  });
  return { command: join(folder, 'bin/stripe-mock') };
}
