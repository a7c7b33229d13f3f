import { faultKind, isBehindOrders } from './fault.ts';

export const serverParts = ['redis-ledger', 'redis', 'ferretdb', 'postgres', 'kafka'] as const;

/** kill -9 of one process or server; the supervisor starts it again. */
export const kill = faultKind<{ part: string }>({
  name: 'kill',
  weight: 10,
  draw: (random, { processes }) => ({ part: random.pick([...processes, ...serverParts]) }),
  describe: ({ part }) => part,
  affects: ({ part }) => (isBehindOrders(part) ? 'confirm' : 'place'),
  inject: async ({ system }, { part }) =>
    system.supervisor.kill(part, 'SIGKILL') ? { kills: 1 } : { skipped: 'it is not running' },
});

/** kill -9 of all processes at once; their servers stay. */
export const killAll = faultKind<{ parts: readonly string[] }>({
  name: 'kill-all',
  weight: 1,
  draw: (_random, { processes }) => ({ parts: processes }),
  describe: () => 'every process',
  affects: () => 'place',
  inject: async ({ system }, { parts }) => ({
    kills: parts.filter((part) => system.supervisor.kill(part, 'SIGKILL')).length,
  }),
});
