import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const main = join(import.meta.dirname, '..', 'src', 'main.ts');
const startLimitMs = 30_000;

/** A line of its log. */
export interface LogLine {
  level: string;
  msg: string;
  orderId?: string;
}

export interface OrderProcess {
  url: string;
  adminUrl: string;
  pid: number;
  /** What it has logged so far. */
  lines: readonly LogLine[];
  /** Resolves to the signal that ended it. */
  ended: Promise<NodeJS.Signals | null>;
  stop(): Promise<void>;
  /** As by kill -9. */
  kill(): Promise<void>;
  place(order: { token: string; key: string; productId: string }): Promise<Response>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/**
 * order-service as a process of its own; resolves once it serves. `shell` is run before it, in the
 * shell that it replaces: for limits.
 */
export async function startOrderProcess(
  env: Readonly<Record<string, string | undefined>>,
  shell = '',
): Promise<OrderProcess> {
  const port = await freePort();
  const args = [process.execPath, '--disable-warning=TimeoutNegativeWarning', main];
  const child = spawn('sh', ['-c', `${shell} exec "$0" "$@"`, ...args], {
    env: {
      ...process.env,
      ORDER_SERVICE_PORT: String(port),
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
  const lines: LogLine[] = [];
  const adminPort = await readAdminPort(child, lines);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    pid: child.pid ?? 0,
    lines,
    place: ({ token, key, productId }) =>
      fetch(`${url}/api/orders`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'idempotency-key': key,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ items: [{ productId, quantity: 1 }] }),
      }),
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
function readAdminPort(child: ChildProcess, lines: LogLine[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(new Error(`${why}\n${lines.map((line) => JSON.stringify(line)).join('\n')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('order-service did not start in time');
    }, startLimitMs);
    child.once('exit', () => {
      clearTimeout(timer);
      fail('order-service ended');
    });
    if (!child.stdout) throw new Error('the process has no output');
    createInterface(child.stdout).on('line', (text) => {
      const line = JSON.parse(text) as LogLine & { adminPort?: number };
      lines.push(line);
      if (line.msg !== 'started' || line.adminPort === undefined) return;
      clearTimeout(timer);
      resolve(line.adminPort);
    });
  });
}
