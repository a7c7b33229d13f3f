import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryCommand } from './run-command.ts';
import { errorCode } from './stack-error.ts';
import type { Environment } from './report.ts';

/**
 * A process is named by its id and by when it began: an id alone may belong to a stranger by the
 * time it is read again.
 */
export interface ProcessName {
  readonly pid: number;
  readonly began: string;
}

export async function processName(pid: number, env: Environment): Promise<ProcessName | undefined> {
  const began = await readBegan(pid, env);
  return began === undefined ? undefined : { pid, began };
}

export async function isRunning(name: ProcessName, env: Environment): Promise<boolean> {
  return (await readBegan(name.pid, env)) === name.began;
}

export async function writePidFile(path: string, pid: number, env: Environment): Promise<void> {
  const name = await processName(pid, env);
  if (name !== undefined) {
    await writeFile(path, `${JSON.stringify(name)}\n`, { mode: 0o600 });
  }
}

export async function readPidFile(path: string): Promise<ProcessName | undefined> {
  try {
    const name: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof name === 'object' && name !== null && 'pid' in name && 'began' in name) {
      return typeof name.pid === 'number' && typeof name.began === 'string'
        ? { pid: name.pid, began: name.began }
        : undefined;
    }
  } catch {
    // No file, or one that was cut short: nobody to name.
  }
  return undefined;
}

/** Ends what an earlier launcher left behind when it was killed. Returns the names of those parts. */
export async function endLeftovers(folder: string, env: Environment): Promise<string[]> {
  const ended: string[] = [];
  for (const file of await readdir(folder)) {
    if (!file.endsWith('.pid')) {
      continue;
    }
    const path = join(folder, file);
    const name = await readPidFile(path);
    if (name !== undefined && (await isRunning(name, env))) {
      await endProcess(name, env);
      ended.push(file.slice(0, -'.pid'.length));
    }
    await rm(path, { force: true });
  }
  return ended;
}

async function endProcess(name: ProcessName, env: Environment): Promise<void> {
  // SIGINT is an orderly stop for every server here; for PostgreSQL, SIGTERM waits for clients.
  for (const [signal, waitMs] of [
    ['SIGINT', 5000],
    ['SIGKILL', 5000],
  ] as const) {
    sendSignal(name.pid, signal);
    for (let waited = 0; waited < waitMs; waited += 50) {
      if (!(await isRunning(name, env))) {
        return;
      }
      await sleep(50);
    }
  }
}

export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ESRCH') {
      return false;
    }
    throw error;
  }
}

async function readBegan(pid: number, env: Environment): Promise<string | undefined> {
  if (process.platform === 'linux') {
    try {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // The second field is the program's name in parentheses and may itself hold spaces.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const isZombie = fields[0] === 'Z' || fields[0] === 'X';
      const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
      return isZombie ? undefined : `${boot.trim()}/${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  const began = await tryCommand('ps', ['-o', 'lstart=', '-p', String(pid)], { env });
  return began?.trim() || undefined;
}
