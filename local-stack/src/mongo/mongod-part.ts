import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartOptions } from '../supervisor/part.ts';
import type { Environment } from '../system/report.ts';
import { waitUntil } from '../system/wait-until.ts';
import { runMongoCommand } from './ping-mongo.ts';

/** MongoDB's own server as a replica set of one: drivers find the set without being told its name. */
export async function createMongodPart(options: {
  command: string;
  port: number;
  dataFolder: string;
  logFolder: string;
  env: Environment;
}): Promise<PartOptions> {
  const { port, dataFolder } = options;
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  const place = ['--dbpath', dataFolder, '--unixSocketPrefix', dataFolder];
  return {
    name: 'mongod',
    command: options.command,
    args: ['--replSet', 'rs0', '--bind_ip', '127.0.0.1', '--port', String(port), ...place],
    env: { PATH: options.env.PATH, HOME: options.env.HOME, LC_ALL: 'C' },
    cwd: dataFolder,
    logFile: join(options.logFolder, 'mongod.log'),
    ready: async (signal) => waitForReplicaSet(port, signal),
  };
}

/** Initiates the set when it is new, then waits until its one member takes writes. */
export async function waitForReplicaSet(port: number, signal: AbortSignal): Promise<void> {
  const url = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  const member = { _id: 0, host: `127.0.0.1:${port}` };
  await waitUntil(
    async () => {
      try {
        const hello = await runMongoCommand(url, { hello: 1 });
        if (hello.isWritablePrimary !== true && hello.setName === undefined) {
          await runMongoCommand(url, { replSetInitiate: { _id: 'rs0', members: [member] } });
        }
        return hello.isWritablePrimary === true;
      } catch {
        // Not listening yet, or already initiated and still electing.
        return false;
      }
    },
    { signal, intervalMs: 100 },
  );
}
