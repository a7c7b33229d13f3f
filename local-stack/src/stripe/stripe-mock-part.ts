import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartOptions } from '../supervisor/part.ts';
import { findFreePorts } from '../system/ports.ts';
import type { Environment } from '../system/report.ts';
import { exchangeBytes, waitUntil } from '../system/wait-until.ts';
import { obtainStripeMock } from './obtain-stripe-mock.ts';

/**
 * How a stripe-mock is run, for tests: with its log in `folder`, reached at `url`. It checks requests
 * against Stripe's API description, keeps nothing of them, and answers with examples.
 */
export async function stripeMockPart(
  folder: string,
  env: Environment,
): Promise<{ part: PartOptions; url: string }> {
  const { command } = await obtainStripeMock(env);
  await mkdir(folder, { recursive: true });
  // Unless told where, it opens a fixed port for HTTPS as well, on every address.
  const [port = 0, httpsPort = 0] = await findFreePorts(2, env);
  const part: PartOptions = {
    name: 'stripe-mock',
    command,
    args: [`-http-addr=127.0.0.1:${port}`, `-https-addr=127.0.0.1:${httpsPort}`],
    env,
    cwd: folder,
    logFile: join(folder, 'stripe-mock.log'),
    ready: async (signal) => waitUntil(async () => answersHttp(port), { signal, intervalMs: 50 }),
  };
  return { part, url: `http://127.0.0.1:${port}` };
}

async function answersHttp(port: number): Promise<boolean> {
  const reply = await exchangeBytes({
    port,
    request: Buffer.from('GET / HTTP/1.0\r\n\r\n'),
    isComplete: (bytes) => bytes.includes('\r\n'),
    timeoutMs: 1_000,
  });
  return reply?.toString('latin1').startsWith('HTTP/1.') === true;
}
