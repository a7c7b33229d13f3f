import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { faultKinds, printReport, runChaos } from '@quicksale/loadtest/chaos';

/** How long there are faults; each kind comes once before any comes again. */
const seconds = Number(process.env.CHAOS_SECONDS ?? 60);
/** The outbox scan doubles its intervals: what was hurt often is looked at late. */
const restLimitMs = 120_000;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'quicksale-chaos-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it(
  `${seconds} s of faults of every kind break no invariant`,
  async () => {
    const seed = Math.floor(Math.random() * 1_000_000);
    const say = (line: string) => void process.stdout.write(`${line}\n`);
    say(`npm run chaos -- --seed ${seed} --seconds ${seconds}`);
    const report = await runChaos({
      ...{ seed, directory, restLimitMs, say },
      budget: { seconds },
      kinds: faultKinds,
      env: process.env,
    });
    printReport(report, say);
    expect(report.violations).toEqual([]);
    // Otherwise little was tried.
    const injected = report.faults.filter(({ skipped }) => !skipped).map(({ name }) => name);
    expect(injected).toEqual(expect.arrayContaining(faultKinds.map(({ name }) => name)));
    for (const status of ['CONFIRMED', 'CANCELLED', 'EXPIRED', 'SHIPPED'])
      expect([status, report.statuses.get(status)]).toEqual([status, expect.any(Number)]);
  },
  (seconds + 420) * 1_000,
);
