import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endLeftovers, isRunning, processName, readPidFile } from './system/pid-file.ts';
import type { Environment } from './system/report.ts';
import { StackError } from './system/stack-error.ts';

function lockFile(runFolder: string): string {
  return join(runFolder, 'launcher.lock');
}

/** The launcher that runs on this folder right now, if any. */
export async function findLauncher(
  runFolder: string,
  env: Environment,
): Promise<number | undefined> {
  const holder = await readPidFile(lockFile(runFolder));
  return holder !== undefined && (await isRunning(holder, env)) ? holder.pid : undefined;
}

/**
 * Makes this process the folder's launcher and ends what a killed launcher left behind, whose data
 * and ports it would otherwise meet.
 */
export async function lockFolder(options: {
  runFolder: string;
  env: Environment;
}): Promise<{ leftovers: string[]; unlock: () => Promise<void> }> {
  const { runFolder, env } = options;
  await mkdir(runFolder, { recursive: true });
  const running = await findLauncher(runFolder, env);
  if (running !== undefined) {
    throw new StackError(`QuickSale is already running on this folder (process ${running})`, {
      fix: 'Stop it first (Ctrl-C in its terminal), or use another checkout.',
    });
  }
  const file = lockFile(runFolder);
  await rm(file, { force: true });
  const own = JSON.stringify(await processName(process.pid, env));
  await writeFile(file, own, { mode: 0o600, flag: 'wx' });
  const leftovers = await endLeftovers(runFolder, env);
  return { leftovers, unlock: async () => rm(file, { force: true }) };
}
