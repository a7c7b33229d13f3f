import { checkAnswers } from './check-answers.ts';
import { checkDeadlines, checkHistories, checkLiveness, checkNotifications } from './check-life.ts';
import { checkMoney } from './check-money.ts';
import { checkLimits, checkOrders } from './check-orders.ts';
import { checkUnits } from './check-units.ts';
import { indexEvidence, type Evidence, type Violation } from './verdict.ts';

export interface Verdict {
  violations: Violation[];
  /** What a lost ledger may do by the guarantee's own words, and did: how often. */
  excused: Map<string, number>;
}

/** Judges a run by what was told and what is stored, in time proportional to both. */
export function check(evidence: Evidence): Verdict {
  const violations: Violation[] = [];
  const excused = new Map<string, number>();
  const findings = {
    violation: (invariant: string, text: string) => void violations.push({ invariant, text }),
    excuse: (what: string) => void excused.set(what, (excused.get(what) ?? 0) + 1),
  };
  const index = indexEvidence(evidence);
  checkUnits(evidence, findings);
  checkOrders(evidence, index, findings);
  checkLiveness(evidence, findings);
  checkHistories(evidence, index, findings);
  checkNotifications(evidence, findings);
  checkLimits(evidence, index, findings);
  checkDeadlines(evidence, findings);
  checkMoney(evidence, index, findings);
  checkAnswers(evidence, index, findings);
  return { violations, excused };
}
