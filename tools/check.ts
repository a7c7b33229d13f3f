// npm run check: everything that can be said about the code without servers.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runCommand, say } from './run-command.ts';
import { runJest, type Tally } from './run-jest.ts';

const bin = (name: string) => join('node_modules', name);
type Check = readonly [name: string, script: string, args: readonly string[]];
/** Each uses one core: the longest of them runs beside the others. */
const lanes: readonly (readonly Check[])[] = [
  [['lint', bin('eslint/bin/eslint.js'), ['.', '--max-warnings=0']]],
  [
    ['format', bin('prettier/bin/prettier.cjs'), ['--check', '--log-level=warn', '.']],
    ['types', bin('typescript/bin/tsc'), ['-p', '.']],
    [
      'import law',
      bin('dependency-cruiser/bin/dependency-cruiser.mjs'),
      ['.', '--output-type=err', '--progress=none'],
    ],
    ['simulation', 'loadtest/src/simulation/main.ts', ['--seeds', '100', '--workers', '1']],
  ],
];

/** Runs every check and the unit tests; each check counts as one test. */
export async function check(): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0 };
  const runLane = async (lane: readonly Check[]) => {
    for (const [name, script, args] of lane) {
      const startedAt = Date.now();
      const passed = await runCommand(process.execPath, [script, ...args]);
      const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
      say(`${passed ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
      if (passed) tally.passed += 1;
      else tally.failed += 1;
    }
  };
  await Promise.all(lanes.map(runLane));
  const unit = await runJest('unit', []);
  return { passed: tally.passed + unit.passed, failed: tally.failed + unit.failed };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { passed, failed } = await check();
  say(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
