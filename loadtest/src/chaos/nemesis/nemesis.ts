import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../seeded-random.ts';
import type { FaultEffect, FaultKind, FaultStage } from './fault.ts';
import { planFaults, type PlannedFault } from './schedule.ts';

/** A fault that was injected; times in milliseconds since the run began. */
export interface InjectedFault extends FaultEffect {
  name: string;
  what: string;
  affects: 'place' | 'confirm';
  startedAt: number;
  endedAt: number;
}

/** How long faults go on: until so many kills, or for so long. */
export interface FaultBudget {
  kills?: number;
  seconds?: number;
}

/** Faults that last side by side. */
const mostAtOnce = 3;

/** Injects faults one after the other, also into the midst of others; resolves when all are over. */
export async function runNemesis(options: {
  stage: FaultStage;
  random: SeededRandom;
  kinds: readonly FaultKind[];
  budget: FaultBudget;
  tell: (fault: InjectedFault) => void;
}): Promise<InjectedFault[]> {
  const { stage, budget } = options;
  const parts = {
    processes: stage.system.processes,
    links: stage.system.links.map(({ name }) => name),
  };
  const injected: InjectedFault[] = [];
  const running = new Map<Promise<void>, string | undefined>();
  const startedAt = stage.now();
  let kills = 0;
  const isOver = () =>
    (budget.kills !== undefined && kills >= budget.kills) ||
    (budget.seconds !== undefined && stage.now() - startedAt >= budget.seconds * 1_000);

  async function inject({ kind, params }: PlannedFault): Promise<void> {
    const from = stage.now();
    const effect = await kind.inject(stage, params);
    kills += effect.kills ?? 0;
    const times = { startedAt: from, endedAt: stage.now() };
    const named = { name: kind.name, what: kind.describe(params), affects: kind.affects(params) };
    const done = { ...named, ...times, ...effect };
    injected.push(done);
    options.tell(done);
  }

  for (const planned of planFaults(options.random, options.kinds, parts)) {
    await sleep(planned.pauseMs);
    const { stops } = planned.kind;
    while (running.size >= mostAtOnce || (stops && [...running.values()].includes(stops)))
      await Promise.race(running.keys());
    if (isOver()) break;
    const fault = inject(planned);
    running.set(fault, stops);
    void fault.finally(() => running.delete(fault)).catch(() => undefined);
  }
  await Promise.all(running.keys());
  return injected.sort((a, b) => a.startedAt - b.startedAt);
}
