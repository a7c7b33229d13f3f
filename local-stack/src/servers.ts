import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createProgressPrinter } from './progress-printer.ts';
import { startServers } from './start-servers.ts';
import { describeError } from './system/stack-error.ts';
import { untilAskedToStop } from './system/stop-signals.ts';

// Only the servers, for work on one service or one test:
//   node local-stack/src/servers.ts [--free] [--directory <folder>]
// Prints their URLs as KEY=value lines and runs until it is asked to stop.
const { values } = parseArgs({
  options: { free: { type: 'boolean' }, directory: { type: 'string' } },
});
const report = createProgressPrinter((text) => process.stderr.write(text));
const asked = untilAskedToStop();
const stopping = new AbortController();
void asked.then(() => stopping.abort());
try {
  const servers = await startServers({
    dataDirectory: values.directory ?? join(import.meta.dirname, '../../.quicksale'),
    ports: values.free === true ? 'free' : 'default',
    env: process.env,
    report,
    signal: stopping.signal,
  });
  for (const [name, url] of Object.entries(servers.urls)) {
    process.stdout.write(`${name}=${url}\n`);
  }
  await asked;
  await servers.stop();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(1);
}
