import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stackFolders } from './stack-folders.ts';
import { lockFolder } from './launcher-lock.ts';
import type { Environment } from './system/report.ts';
import { StackError } from './system/stack-error.ts';

/**
 * Forgets all data of a stack that does not run. What was obtained stays in the cache, and the
 * secrets stay, so services and tokens go on to work with the next start.
 */
export async function resetStack(options: {
  dataDirectory: string;
  env: Environment;
  isConfirmed: boolean;
}): Promise<string[]> {
  const folders = stackFolders(options.dataDirectory);
  const removed = [folders.data, join(folders.top, 'demo.json')];
  if (!options.isConfirmed) {
    throw new StackError(`This removes ${removed.join(' and ')}`, {
      fix: 'Say so: npm run reset -- --yes',
    });
  }
  // Refuses while a launcher runs, and keeps one from starting meanwhile.
  const { unlock } = await lockFolder({ runFolder: folders.run, env: options.env });
  for (const path of removed) {
    await rm(path, { recursive: true, force: true });
  }
  await unlock();
  return removed;
}
