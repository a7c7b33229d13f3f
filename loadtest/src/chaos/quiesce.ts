import { setTimeout as sleep } from 'node:timers/promises';
import type { Stores } from './read-stores.ts';
import type { ChaosSystem } from './system.ts';

const lookEveryMs = 250;
/** So often in a row nothing must be left: between two steps nothing is visible for a moment. */
const looks = 4;

export interface Rest {
  /** From when it was waited for until nothing was left to do; undefined: it never was. */
  afterMs: number | undefined;
  /** What was left at the end. */
  left: string[];
}

/** Undoes all faults that last; every part is up when this resolves. */
export async function endFaults(system: ChaosSystem): Promise<void> {
  for (const link of system.links) link.set({});
  for (const process of system.processes) system.shiftClock(process, 0);
  for (const part of system.supervisor.names) system.supervisor.kill(part, 'SIGCONT');
  await Promise.all(system.supervisor.names.map((part) => system.supervisor.waitUntilUp(part)));
}

/** Waits until nothing is left to do, or so long. */
export async function awaitRest(stores: Stores, limitMs: number): Promise<Rest> {
  const startedAt = performance.now();
  const elapsedMs = () => performance.now() - startedAt;
  let left: string[] = [];
  let quiet = 0;
  let quietSince = 0;
  while (elapsedMs() < limitMs) {
    const lookedAt = elapsedMs();
    left = await stores.openWork().catch((error: unknown) => [String(error)]);
    if (left.length > 0) quiet = 0;
    else if ((quiet += 1) === 1) quietSince = lookedAt;
    if (quiet === looks) return { afterMs: Math.round(quietSince), left };
    await sleep(lookEveryMs);
  }
  return { afterMs: undefined, left };
}
