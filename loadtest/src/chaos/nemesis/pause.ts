import { setTimeout as sleep } from 'node:timers/promises';
import { faultKind, isBehindOrders } from './fault.ts';
import { serverParts } from './kill.ts';

/** SIGSTOP and, after a while, SIGCONT: a process that stands still and does not know it. */
export const pause = faultKind<{ part: string; forMs: number }>({
  name: 'pause',
  weight: 3,
  draw: (random, { processes }) => ({
    part: random.pick([...processes, ...serverParts]),
    forMs: random.between(300, 6_000),
  }),
  describe: ({ part, forMs }) => `${part} for ${forMs} ms`,
  affects: ({ part }) => (isBehindOrders(part) ? 'confirm' : 'place'),
  inject: async ({ system: { supervisor } }, { part, forMs }) => {
    const pid = supervisor.pid(part);
    if (pid === undefined || !supervisor.kill(part, 'SIGSTOP'))
      return { skipped: 'it is not running' };
    await sleep(forMs);
    // Another one may run under its name by now.
    if (supervisor.pid(part) === pid) supervisor.kill(part, 'SIGCONT');
    return {};
  },
});
