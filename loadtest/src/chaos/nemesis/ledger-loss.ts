import { cp, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultKind, type FaultEffect, type FaultStage } from './fault.ts';

const ledger = 'redis-ledger';

/** Stops the ledger server, does something to its files, and starts it on what is left of them. */
async function restartOn(
  { system, now }: FaultStage,
  change: () => Promise<unknown>,
): Promise<{ at: number; until: number }> {
  const at = now();
  await system.supervisor.stopPart(ledger);
  await change();
  await system.supervisor.start([ledger]);
  return { at, until: now() };
}

/** The ledger server is shut down and started again, with all that it had. */
export const ledgerRestart = faultKind<null>({
  name: 'ledger-restart',
  weight: 1,
  stops: ledger,
  draw: () => null,
  describe: () => 'shut down and started again',
  affects: () => 'place',
  inject: async (stage) => {
    await restartOn(stage, () => Promise.resolve());
    return {};
  },
});

/** The ledger server comes back without any data. */
export const ledgerEmptied = faultKind<null>({
  name: 'ledger-emptied',
  weight: 1,
  stops: ledger,
  draw: () => null,
  describe: () => 'started again without its files',
  affects: () => 'place',
  inject: async (stage): Promise<FaultEffect> => {
    const gone = await restartOn(stage, () =>
      rm(stage.system.ledgerFolder, { recursive: true, force: true }),
    );
    return { loss: { since: 0, ...gone } };
  },
});

/** The ledger server comes back with a copy of its log that was made a while ago. */
export const ledgerSetBack = faultKind<{ byMs: number }>({
  name: 'ledger-set-back',
  weight: 2,
  stops: ledger,
  draw: (random) => ({ byMs: random.between(200, 3_000) }),
  describe: ({ byMs }) => `by ${byMs} ms`,
  affects: () => 'place',
  inject: async (stage, { byMs }): Promise<FaultEffect> => {
    const folder = stage.system.ledgerFolder;
    const copy = `${folder}-copy`;
    await rm(copy, { recursive: true, force: true });
    const since = stage.now();
    const isCopied = await cp(folder, copy, { recursive: true }).then(
      () => true,
      () => false,
    );
    // Redis is rewriting its log at this very moment.
    if (!isCopied) return { skipped: 'the log could not be copied' };
    await sleep(byMs);
    const gone = await restartOn(stage, async () => {
      await rm(folder, { recursive: true });
      await cp(copy, folder, { recursive: true });
    });
    return { loss: { since, ...gone } };
  },
});
