import { setTimeout as sleep } from 'node:timers/promises';
import { faultKind } from './fault.ts';

const most = 5 * 60_000;

/** The clock of a process jumps by up to five minutes, either way, and back again. */
export const clockJump = faultKind<{ process: string; shiftMs: number; forMs: number }>({
  name: 'clock-jump',
  weight: 2,
  draw: (random, { processes }) => ({
    process: random.pick(processes),
    shiftMs: random.pick([-1, 1]) * random.between(10_000, most),
    forMs: random.between(1_000, 8_000),
  }),
  describe: ({ process, shiftMs, forMs }) =>
    `${process} ${shiftMs > 0 ? '+' : ''}${Math.round(shiftMs / 1_000)} s for ${forMs} ms`,
  affects: ({ process }) => (process === 'kafka-processor' ? 'confirm' : 'place'),
  inject: async ({ system }, { process, shiftMs, forMs }) => {
    system.shiftClock(process, shiftMs);
    await sleep(forMs);
    system.shiftClock(process, 0);
    return {};
  },
});
