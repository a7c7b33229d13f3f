import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { obtainOnce, serverCacheFolder } from './server-cache.ts';

let cacheFolder: string;
const env = { PATH: '/usr/bin:/bin' };

beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'quicksale-cache-'));
});
afterEach(async () => rm(cacheFolder, { recursive: true }));

describe('obtainOnce', () => {
  test('builds once for callers side by side, and not again later', async () => {
    let builds = 0;
    const build = async (folder: string): Promise<void> => {
      builds += 1;
      await sleep(50);
      await writeFile(join(folder, 'program'), 'x');
    };
    const obtain = async (): Promise<unknown> =>
      obtainOnce({ cacheFolder, name: 'part-1', env, build });
    await Promise.all([obtain(), obtain(), obtain()]);
    await obtain();
    expect(builds).toBe(1);
    expect(await readdir(cacheFolder)).toEqual(['part-1']);
  });

  test('leaves nothing behind when a build fails, and removes what a killed one left', async () => {
    const fail = async (): Promise<void> => Promise.reject(new Error('no network'));
    const failing = obtainOnce({ cacheFolder, name: 'part-1', env, build: fail });
    await expect(failing).rejects.toThrow('no network');
    expect(await readdir(cacheFolder)).toEqual([]);
    // A lock of a process that is gone: this id was this process's, but began at another time.
    const stale = JSON.stringify({ pid: process.pid, began: 'earlier' });
    await writeFile(join(cacheFolder, 'part-1.lock'), stale);
    await writeFile(join(cacheFolder, 'part-1.building-abc'), '');
    await obtainOnce({ cacheFolder, name: 'part-1', env, build: async () => undefined });
    expect(await readdir(cacheFolder)).toEqual(['part-1']);
  });
});

test('the cache is where the environment says', () => {
  expect(serverCacheFolder({ QUICKSALE_CACHE: '/c', XDG_CACHE_HOME: '/x' })).toBe('/c');
  expect(serverCacheFolder({ XDG_CACHE_HOME: '/x' })).toBe('/x/quicksale/servers');
  expect(serverCacheFolder({ HOME: '/home/a' })).toBe('/home/a/.cache/quicksale/servers');
});
