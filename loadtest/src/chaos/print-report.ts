import { countBy } from './count-by.ts';
import type { Verdict } from './checker/check.ts';
import type { ChaosReport } from './run-chaos.ts';

const mostViolations = 20;

/** What a run came to, line by line. */
export function printReport(report: ChaosReport, say: (line: string) => void): void {
  const { operations, faults, orders, statuses, kills, rest, recoveryMs } = report;
  const count = (outcome: string) => operations.filter((one) => one.outcome === outcome).length;
  say(
    `${operations.length} operations: ${count('ok')} ok, ${count('fail')} fail, ` +
      `${count('unknown')} unknown; ${orders} orders; ${faults.length} faults, ${kills} kills ` +
      `in ${(report.elapsedMs / 1_000).toFixed(0)} s`,
  );
  say(`orders: ${inWords(statuses)}`);
  say(
    `refusals: ${tally(operations.flatMap(({ outcome, code }) => (outcome === 'fail' && code ? [code] : [])))}`,
  );
  say(
    `unknown: ${tally(
      operations.flatMap(({ outcome, status, code }) =>
        outcome === 'unknown' ? [code ?? String(status ?? 'no answer')] : [],
      ),
    )}`,
  );
  const sorted = [...recoveryMs].sort((a, b) => a - b);
  const ms = (value = 0) => `${Math.round(value)} ms`;
  say(
    `recovery after ${sorted.length} faults: p50 ${ms(sorted[Math.floor(sorted.length / 2)])}, ` +
      `max ${ms(sorted.at(-1))}; at rest ` +
      (rest.afterMs === undefined ? `never: ${rest.left.join(', ')}` : `after ${rest.afterMs} ms`),
  );
  printVerdict(report, say);
}

/** What is excused, what is violated, and how it ends. */
export function printVerdict({ violations, excused }: Verdict, say: (line: string) => void): void {
  for (const [what, times] of excused) say(`excused by a lost ledger: ${what}: ${times}`);
  const byInvariant = Map.groupBy(violations, ({ invariant }) => invariant);
  for (const [invariant, all] of [...byInvariant].sort())
    for (const { text } of all.slice(0, mostViolations)) say(`${invariant}: ${text}`);
  say(
    violations.length === 0
      ? 'verdict: 0 violations'
      : `verdict: ${violations.length} violations of ${[...byInvariant.keys()].sort().join(', ')}`,
  );
}

const tally = (names: readonly string[]): string => inWords(countBy(names));

const inWords = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, times]) => `${name} ${times}`)
    .join(', ') || 'none';
