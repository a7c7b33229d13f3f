import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** What is where in a stack's folder (`.quicksale` for `npm start`). */
export interface StackFolders {
  readonly top: string;
  readonly data: string;
  readonly logs: string;
  readonly run: string;
}

export async function createStackFolders(top: string): Promise<StackFolders> {
  const folders = stackFolders(top);
  for (const folder of [folders.top, folders.data, folders.logs, folders.run]) {
    await mkdir(folder, { recursive: true });
  }
  return folders;
}

export function stackFolders(top: string): StackFolders {
  const path = resolve(top);
  return { top: path, data: join(path, 'data'), logs: join(path, 'logs'), run: join(path, 'run') };
}
