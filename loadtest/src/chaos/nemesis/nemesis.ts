import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../seeded-random.ts';
import type { FaultEffect, FaultKind, FaultStage } from './fault.ts';
import { planFaults } from './schedule.ts';

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

/** Injects faults one after the other, some into the midst of others, and resolves when all are over. */
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
  const running = new Set<Promise<void>>();
  const startedAt = stage.now();
  let kills = 0;
  const isOver = () =>
    (budget.kills !== undefined && kills >= budget.kills) ||
    (budget.seconds !== undefined && stage.now() - startedAt >= budget.seconds * 1_000);

  for (const { kind, params, pauseMs } of planFaults(options.random, options.kinds, parts)) {
    await sleep(pauseMs);
    if (isOver()) break;
    // Whatever takes a server away would be in the way of another such.
    if (!kind.mayOverlap) await Promise.all(running);
    const from = stage.now();
    const fault = kind.inject(stage, params).then((effect) => {
      kills += effect.kills ?? 0;
      const times = { startedAt: from, endedAt: effect.healedAt ?? stage.now() };
      const named = { name: kind.name, what: kind.describe(params), affects: kind.affects(params) };
      const done = { ...named, ...times, ...effect };
      injected.push(done);
      options.tell(done);
    });
    running.add(fault);
    void fault.finally(() => running.delete(fault)).catch(() => undefined);
    if (!kind.mayOverlap) await fault;
  }
  await Promise.all(running);
  return injected.sort((a, b) => a.startedAt - b.startedAt);
}
