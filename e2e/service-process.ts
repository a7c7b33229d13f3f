import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { serviceTable } from '@quicksale/local-stack';
import { eventually } from '@quicksale/shared/testing';
import type { System } from './system.ts';

export interface ServiceProcess {
  /** Code and signal, once it has ended. */
  ended: Promise<[number | null, NodeJS.Signals | null]>;
  stop(): Promise<void>;
}

/**
 * A service of the system outside its supervisor, with settings of its own; the supervised one must
 * be stopped. Resolves when it has ended, or is that far: ready, or just started, which does not wait
 * until Kafka gives up the consumer of one that was killed.
 */
export async function startServiceProcess(
  system: System,
  name: string,
  settings: Readonly<Record<string, string>>,
  until: 'ready' | 'started' = 'ready',
): Promise<ServiceProcess> {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=TimeoutNegativeWarning',
      join(import.meta.dirname, `../${name}/src/main.ts`),
    ],
    {
      // Jest's own settings are not for a plain process.
      env: { ...process.env, ...system.env, NODE_OPTIONS: '', LOG_LEVEL: 'silent', ...settings },
      stdio: 'ignore',
    },
  );
  const ended = once(child, 'exit') as ServiceProcess['ended'];
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const prefix = serviceTable.find((row) => row.name === name)?.prefix;
  await eventually(async () => {
    if (hasEnded()) return;
    const probe = until === 'ready' ? 'readyz' : 'startupz';
    const { ok } = await fetch(`${system.env[`${prefix}_ADMIN_URL`]}/${probe}`);
    if (!ok) throw new Error(`${name} is not ${until}`);
  }, 30_000).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    ended,
    stop: async () => {
      if (!hasEnded()) child.kill('SIGTERM');
      await ended;
    },
  };
}
