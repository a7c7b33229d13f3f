import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exists } from '../system/find-program.ts';
import { isRunning, processName, readPidFile } from '../system/pid-file.ts';
import type { Environment } from '../system/report.ts';
import { errorCode } from '../system/stack-error.ts';

/** Where obtained servers are kept, for all checkouts and tests of this user. */
export function serverCacheFolder(env: Environment): string {
  if (env.QUICKSALE_CACHE) {
    return resolve(env.QUICKSALE_CACHE);
  }
  const userCache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return resolve(userCache, 'quicksale', 'servers');
}

/**
 * Returns the folder `name` of the cache, built first when it is not there. `build` fills a folder
 * aside, which then takes its final name in one step: what has the final name is complete. Other
 * launchers wait for the one that builds; should two build at once, the first to finish wins.
 */
export async function obtainOnce(options: {
  cacheFolder: string;
  name: string;
  env: Environment;
  build: (buildFolder: string, finalFolder: string) => Promise<void>;
  waiting?: () => void;
}): Promise<{ folder: string; wasBuilt: boolean }> {
  const { cacheFolder, name, env } = options;
  const folder = join(cacheFolder, name);
  if (await exists(folder)) {
    return { folder, wasBuilt: false };
  }
  await mkdir(cacheFolder, { recursive: true });
  const lock = join(cacheFolder, `${name}.lock`);
  while (!(await takeLock(lock, env))) {
    options.waiting?.();
    await sleep(300);
    if (await exists(folder)) {
      return { folder, wasBuilt: false };
    }
  }
  try {
    if (await exists(folder)) {
      return { folder, wasBuilt: false };
    }
    await removeUnfinished(cacheFolder, name);
    const buildFolder = await mkdtemp(join(cacheFolder, `${name}.building-`));
    try {
      await options.build(buildFolder, folder);
      // mkdtemp made it private, but a server may have to run as another user than root.
      await chmod(buildFolder, 0o755);
      await renameUnlessThere(buildFolder, folder);
    } finally {
      await rm(buildFolder, { recursive: true, force: true });
    }
    return { folder, wasBuilt: true };
  } finally {
    await rm(lock, { force: true });
  }
}

/** What a killed launcher began. Called with the lock held, so nobody is at work on it. */
async function removeUnfinished(cacheFolder: string, name: string): Promise<void> {
  for (const entry of await readdir(cacheFolder)) {
    if (entry.startsWith(`${name}.building-`)) {
      await rm(join(cacheFolder, entry), { recursive: true, force: true });
    }
  }
}

async function takeLock(lock: string, env: Environment): Promise<boolean> {
  const own = await processName(process.pid, env);
  try {
    await writeFile(lock, JSON.stringify(own), { flag: 'wx' });
    return true;
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') {
      throw error;
    }
  }
  const holder = await readPidFile(lock);
  const isStale =
    holder === undefined ? await isOlderThan(lock, 5000) : !(await isRunning(holder, env));
  if (isStale) {
    await rm(lock, { force: true });
  }
  return false;
}

/** A lock without a readable holder is either being written right now or was cut short. */
async function isOlderThan(path: string, ageMs: number): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > ageMs;
  } catch {
    return false;
  }
}

async function renameUnlessThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') {
      throw error;
    }
  }
}
