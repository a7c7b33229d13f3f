import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const main = join(import.meta.dirname, '..', 'src', 'main.ts');
const startLimitMs = 30_000;

export interface OrderProcess {
  adminUrl: string;
  /** Resolves to the signal that ended it. */
  ended: Promise<NodeJS.Signals | null>;
  stop(): Promise<void>;
  /** As by kill -9. */
  kill(): Promise<void>;
}

/** order-service as a process of its own; resolves once it serves. */
export async function startOrderProcess(
  env: Readonly<Record<string, string | undefined>>,
): Promise<OrderProcess> {
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', main], {
    env: {
      ...process.env,
      ORDER_SERVICE_PORT: '0',
      ORDER_SERVICE_ADMIN_PORT: '0',
      LOG_LEVEL: 'info',
      // Jest's own settings are not for a plain process.
      NODE_OPTIONS: '',
      NODE_ENV: 'test',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(([, signal]) => signal as NodeJS.Signals | null);
  const adminPort = await readAdminPort(child);
  return {
    adminUrl: `http://127.0.0.1:${adminPort}`,
    ended,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The line that says `started` names the port. */
function readAdminPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    const fail = (why: string) => reject(new Error(`${why}\n${lines.join('\n')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('order-service did not start in time');
    }, startLimitMs);
    child.once('exit', () => {
      clearTimeout(timer);
      fail('order-service ended');
    });
    if (!child.stdout) throw new Error('the process has no output');
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line);
      const { msg, adminPort } = JSON.parse(line) as { msg?: string; adminPort?: number };
      if (msg !== 'started' || adminPort === undefined) return;
      clearTimeout(timer);
      resolve(adminPort);
    });
  });
}
