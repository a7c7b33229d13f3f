import { readdir, readlink, realpath } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const longestWaitMs = 5_000;

/**
 * Ends every process that works in this folder, and waits until they are gone. For what a killed
 * server leaves behind: its children may notice late, or never, and hold its memory and its pipes
 * meanwhile. Does nothing where there is no /proc.
 */
export async function endProcessesIn(folder: string): Promise<void> {
  const deadline = Date.now() + longestWaitMs;
  const real = await realpath(folder).catch(() => folder);
  for (let found = await processesIn(real); found.length > 0; found = await processesIn(real)) {
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself meanwhile.
      }
    }
    if (Date.now() > deadline) {
      return;
    }
    await sleep(20);
  }
}

async function processesIn(folder: string): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
      return cwd === folder && pid !== process.pid ? [pid] : [];
    }),
  );
  return found.flat();
}
