import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '@quicksale/local-stack';
import { check, type Verdict } from './checker/check.ts';
import type { Evidence } from './checker/verdict.ts';
import { startLoad, type Load } from './generator.ts';
import { historyFileIn, saveEvidence } from './evidence-files.ts';
import { openHistory, type Operation } from './history.ts';
import type { FaultKind } from './nemesis/fault.ts';
import { runNemesis, type FaultBudget, type InjectedFault } from './nemesis/nemesis.ts';
import { awaitRest, endFaults, type Rest } from './quiesce.ts';
import { openStores, type Stores } from './read-stores.ts';
import { recoveryTimes } from './recovery.ts';
import { seededRandom } from '../seeded-random.ts';
import { countBy } from './count-by.ts';
import { openShops, type Shop } from './shops.ts';
import { startChaosSystem } from './system.ts';

export interface ChaosOptions {
  seed: number;
  budget: FaultBudget;
  kinds: readonly FaultKind[];
  /** Gets the servers' files, `history.jsonl` and `evidence.json`. */
  directory: string;
  env: Environment;
  /** Sources that the processes run; this checkout's when absent. */
  codeFolder?: string;
  /** So long the shop may take to come to rest after the faults. */
  restLimitMs: number;
  say: (line: string) => void;
}

export interface ChaosReport extends Verdict {
  faults: InjectedFault[];
  operations: readonly Operation[];
  orders: number;
  /** How many of them came to stand where. */
  statuses: ReadonlyMap<string, number>;
  kills: number;
  rest: Rest;
  recoveryMs: number[];
  /** Length of the part with faults. */
  elapsedMs: number;
}

/** Time without faults before the first one: pools are open and code is warm. */
const warmUpMs = 2_000;
/** And after the last one. */
const coolDownMs = 2_000;

/**
 * One run: starts a system of its own, lets buyers and merchants at it, injects faults, waits until the
 * shop is at rest, and judges what was told and what is stored. What is asked for and which faults are
 * injected is a function of the seed; the real timing between them is the machine's.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { directory, say } = options;
  await mkdir(directory, { recursive: true });
  const random = seededRandom(options.seed);
  const system = await startChaosSystem(options);
  const history = openHistory(historyFileIn(directory));
  let stores: Stores | undefined;
  let load: Load | undefined;
  try {
    stores = await openStores(system);
    const shops = await openShops(system, random.fork('shops'));
    load = startLoad({ system, history, shops, random: random.fork('load') });
    await sleep(warmUpMs);
    const startedAt = history.now();
    const faults = await runNemesis({
      stage: { system, now: history.now },
      random: random.fork('nemesis'),
      kinds: options.kinds,
      budget: options.budget,
      tell: (fault) => say(describeFault(fault)),
    });
    const elapsedMs = history.now() - startedAt;
    // Still under load: buyers are the ones who see whether it recovers.
    await endFaults(system);
    await sleep(coolDownMs);
    await load.stop();
    let rest = await awaitRest(stores, options.restLimitMs);
    if (rest.afterMs !== undefined) {
      await load.probe();
      const again = await awaitRest(stores, options.restLimitMs);
      if (again.afterMs === undefined) rest = again;
    }
    const evidence = {
      history: history.ended,
      state: await stores.read(),
      losses: faults.flatMap(({ loss }) => loss ?? []),
      openWork: rest.afterMs === undefined ? rest.left : [],
      ...aboutSales(shops),
    };
    saveEvidence(directory, evidence);
    const orders = evidence.state.orders.filter(({ kind }) => kind === 'order');
    return {
      ...check(evidence),
      ...{ faults, rest, elapsedMs },
      operations: history.ended,
      orders: orders.length,
      statuses: countBy(orders.map(({ status }) => status)),
      kills: faults.reduce((sum, { kills = 0 }) => sum + kills, 0),
      recoveryMs: recoveryTimes(history.ended, faults),
    };
  } finally {
    await load?.stop().catch(() => undefined);
    await stores?.close();
    await system.stop();
    await history.close();
  }
}

const aboutSales = (shops: readonly Shop[]): Pick<Evidence, 'fastSales' | 'limits'> => ({
  fastSales: new Set(shops.filter(({ kind }) => kind === 'fast').map(({ saleId }) => saleId)),
  limits: new Map(
    shops.flatMap(({ kind, saleId, perBuyerLimit }) =>
      kind === 'standing' ? [] : [[saleId, perBuyerLimit] as const],
    ),
  ),
});

export const describeFault = ({ name, what, startedAt, endedAt, skipped }: InjectedFault) => {
  const seconds = (ms: number) => (ms / 1_000).toFixed(1).padStart(6);
  const end = skipped ? `  not done: ${skipped}` : '';
  return `${seconds(startedAt)} -${seconds(endedAt)} s  ${name.padEnd(16)} ${what}${end}`;
};
