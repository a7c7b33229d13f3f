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
 * be stopped. Resolves when it serves, or has ended.
 */
export async function startServiceProcess(
  system: System,
  name: string,
  settings: Readonly<Record<string, string>>,
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
    const { ok } = await fetch(`${system.env[`${prefix}_ADMIN_URL`]}/readyz`);
    if (!ok) throw new Error(`${name} is not ready`);
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
