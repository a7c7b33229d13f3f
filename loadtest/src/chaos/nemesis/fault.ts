import type { SeededRandom } from '../../seeded-random.ts';
import type { ChaosSystem } from '../system.ts';

/** What a fault needs to do its work. */
export interface FaultStage {
  system: ChaosSystem;
  /** Milliseconds since the run began. */
  now(): number;
}

/** What a fault has done. */
export interface FaultEffect {
  /** Processes that were killed. */
  kills?: number;
  /** The ledger forgot what it had after `since`; it was gone from `at` to `until`. */
  loss?: { since: number; at: number; until: number };
  /** It could not be done: what it needs was away because of another one. */
  skipped?: string;
}

/**
 * A kind of fault. `draw` decides from the seed what exactly it does; `inject` does it, and resolves
 * when it is over.
 */
export interface FaultKind<P = unknown> {
  name: string;
  /** How often it is chosen. */
  weight: number;
  /** The part that it stops and starts: one fault at a time may do that. */
  stops?: string;
  draw(random: SeededRandom, parts: FaultParts): P;
  describe(params: P): string;
  /** Which road has to be open again: that of a new order, or that of its confirmation. */
  affects(params: P): 'place' | 'confirm';
  inject(stage: FaultStage, params: P): Promise<FaultEffect>;
}

/** What there is to be hurt. */
export interface FaultParts {
  processes: readonly string[];
  links: readonly string[];
}

/** Kinds of different parameters in one list: each only ever gets what it drew itself. */
export const faultKind = <P>(kind: FaultKind<P>): FaultKind => kind;

/** Parts that no new order meets on its way. */
export const isBehindOrders = (part: string): boolean =>
  ['kafka', 'kafka-processor', 'notifier-service'].includes(part);
