// npm run chaos -- --kills 100 --seed 7: buyers and merchants against a system whose parts are killed,
// stopped, cut off and set back, and a verdict on what came of it. Exit code 1: an invariant is broken.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeBrokenCopy } from '../broken/make-broken-copy.ts';
import { findVariant } from '../broken/variants.ts';
import { check } from './checker/check.ts';
import { readEvidence } from './evidence-files.ts';
import { faultKinds, findFaultKinds } from './nemesis/schedule.ts';
import { printReport, printVerdict } from './print-report.ts';
import { runChaos } from './run-chaos.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    kills: { type: 'string' },
    /** Ends by time instead. */
    seconds: { type: 'string' },
    /** Some kinds only, comma separated. */
    faults: { type: 'string' },
    /** A broken variant of the services. */
    variant: { type: 'string' },
    /** How long the shop may take to come to rest: the outbox scan doubles its intervals. */
    rest: { type: 'string', default: '120' },
    /** Judges again what a run has left in this folder, and runs nothing. */
    check: { type: 'string' },
    /** Keeps the folder with the history and the logs. */
    keep: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (values.check) {
  const verdict = check(readEvidence(values.check));
  printVerdict(verdict, say);
  if (verdict.violations.length > 0) process.exitCode = 1;
} else await run();

async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'quicksale-chaos-'));
  const { seed, kills, seconds, faults, variant } = values;
  const again = [
    `npm run chaos -- --seed ${seed}`,
    ...(kills ? [`--kills ${kills}`] : []),
    ...(seconds ? [`--seconds ${seconds}`] : []),
    ...(faults ? [`--faults ${faults}`] : []),
    ...(variant ? [`--variant ${variant}`] : []),
  ].join(' ');
  say(again);
  try {
    const report = await runChaos({
      seed: Number(seed),
      budget: {
        ...(kills && { kills: Number(kills) }),
        ...(seconds && { seconds: Number(seconds) }),
        ...(!kills && !seconds && { kills: 20 }),
      },
      kinds: faults ? findFaultKinds(faults.split(',')) : faultKinds,
      directory,
      env: process.env,
      ...(variant && {
        codeFolder: await makeBrokenCopy(findVariant(variant), join(directory, 'code')),
      }),
      restLimitMs: Number(values.rest) * 1_000,
      say,
    });
    printReport(report, say);
    if (report.violations.length > 0) {
      process.exitCode = 1;
      say(`again: ${again}`);
    }
  } finally {
    if (values.keep) say(`kept: ${directory}`);
    else rmSync(directory, { recursive: true, force: true });
  }
}
