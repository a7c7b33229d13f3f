import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createTokenSigner } from './demo/developer-tokens.ts';
import { formatSummary, summarize, type StartSummary } from './demo/start-summary.ts';
import { createProgressPrinter } from './progress-printer.ts';
import { seed } from './seed.ts';
import { startServices } from './services/start-services.ts';
import { type Servers, startServers } from './start-servers.ts';
import type { Report } from './system/report.ts';
import { describeError } from './system/stack-error.ts';
import { untilAskedToStop } from './system/stop-signals.ts';

// `npm start [-- --json]`: servers, services, demo data, then one block of what to do next.
const { values } = parseArgs({ options: { json: { type: 'boolean' } } });
const dataDirectory = join(import.meta.dirname, '../../.quicksale');
const demoFile = join(dataDirectory, 'demo.json');
const asked = untilAskedToStop();
const stopping = new AbortController();
// With --json the one object is all of stdout.
const output = values.json === true ? process.stderr : process.stdout;
const print = createProgressPrinter((text) => output.write(text));
const report: Report = (event) => {
  // What parts say while they are being stopped is expected.
  if (!stopping.signal.aborted) {
    print(event);
  }
};
void asked.then(() => stopping.abort());

let servers: Servers | undefined;
let exitCode = 0;
try {
  servers = await startServers({
    dataDirectory,
    ports: 'default',
    env: process.env,
    report,
    signal: stopping.signal,
  });
  const summary = await Promise.race([startAll(servers), asked]);
  if (typeof summary === 'object') {
    const text = values.json === true ? `${JSON.stringify(summary)}\n` : formatSummary(summary);
    process.stdout.write(text);
  }
  await asked;
} catch (error) {
  if (!stopping.signal.aborted) {
    process.stderr.write(`\nQuickSale did not start.\n${describeError(error)}\n`);
    exitCode = 1;
  }
}
stopping.abort();
output.write('  stopping\n');
await servers?.stop();
process.exit(exitCode);

async function startAll(running: Servers): Promise<StartSummary> {
  const { env } = await startServices({
    urls: running.urls,
    env: process.env,
    supervisor: running.supervisor,
    ports: 'default',
    dataDirectory,
    report,
  });
  const startedAt = performance.now();
  const { demo, wasSeeded } = await seed({ env, demoFile });
  const message = wasSeeded ? 'made' : 'there already';
  report({ part: 'demo data', state: 'up', message, elapsedMs: performance.now() - startedAt });
  const sign = await createTokenSigner({
    privateKeyFile: env.JWT_PRIVATE_KEY_FILE ?? '',
    issuer: env.JWT_ISSUER ?? '',
    audience: env.JWT_AUDIENCE ?? '',
  });
  return summarize({ env, demo, demoFile, sources: running.sources, sign });
}
