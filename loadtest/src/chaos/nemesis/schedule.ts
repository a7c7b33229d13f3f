import type { SeededRandom } from '../../seeded-random.ts';
import { brokerOutage } from './broker-outage.ts';
import { clockJump } from './clock-jump.ts';
import type { FaultKind, FaultParts } from './fault.ts';
import { kill, killAll } from './kill.ts';
import { ledgerEmptied, ledgerRestart, ledgerSetBack } from './ledger-loss.ts';
import { linkTrouble } from './link-trouble.ts';
import { pause } from './pause.ts';
import { redelivery } from './redelivery.ts';
import { rollingRestart } from './rolling-restart.ts';

/** Every kind of fault there is. */
export const faultKinds: readonly FaultKind[] = [
  kill,
  killAll,
  pause,
  linkTrouble,
  brokerOutage,
  ledgerRestart,
  ledgerEmptied,
  ledgerSetBack,
  redelivery,
  clockJump,
  rollingRestart,
];

export interface PlannedFault {
  kind: FaultKind;
  params: unknown;
  /** After the one before it has begun. */
  pauseMs: number;
}

const pauseBetweenMs = [200, 2_000] as const;
/** Now and then nothing happens for a while: what recovers is seen to have recovered. */
const breathMs = [3_000, 6_000] as const;

/**
 * Faults without end, as the seed has it: first one of each kind, in some order, then by weight. Which
 * faults, what exactly they do and how long is rested between them is a function of the seed; what
 * they meet depends on how fast the machine is.
 */
export function* planFaults(
  random: SeededRandom,
  kinds: readonly FaultKind[],
  parts: FaultParts,
): Generator<PlannedFault, never> {
  const plan = (kind: FaultKind): PlannedFault => ({
    kind,
    pauseMs: random.isLikely(0.2) ? random.between(...breathMs) : random.between(...pauseBetweenMs),
    params: kind.draw(random, parts),
  });
  for (const kind of random.shuffled(kinds)) yield plan(kind);
  for (;;) yield plan(random.weighted(kinds));
}

/** Kinds by name. Throws with the known names on any other. */
export function findFaultKinds(names: readonly string[]): FaultKind[] {
  return names.map((name) => {
    const found = faultKinds.find((kind) => kind.name === name);
    if (found) return found;
    const known = faultKinds.map((kind) => kind.name).join(', ');
    throw new Error(`there is no fault ${name}; there are: ${known}`);
  });
}
