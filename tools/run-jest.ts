import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';

export interface Tally {
  passed: number;
  failed: number;
}

interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numFailedTestSuites: number;
  numRuntimeErrorTestSuites: number;
}

/** Runs one level of tests and counts them; a suite that does not even start counts as failed. */
export async function runJest(
  level: 'unit' | 'int' | 'e2e',
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'quicksale-jest-'));
  const reportFile = join(folder, 'report.json');
  try {
    const ended = await runCommand(
      process.execPath,
      [
        '--experimental-vm-modules',
        '--disable-warning=ExperimentalWarning',
        '--disable-warning=TimeoutNegativeWarning',
        'node_modules/jest/bin/jest.js',
        '--selectProjects',
        level,
        '--json',
        `--outputFile=${reportFile}`,
        '--silent=false',
        ...args,
      ],
      env,
    );
    if (!existsSync(reportFile)) return { passed: 0, failed: 1 };
    const report = JSON.parse(readFileSync(reportFile, 'utf8')) as JestReport;
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    // Jest may also fail as a whole, for instance when something is still open at the end.
    return { passed: report.numPassedTests, failed: ended ? failed : Math.max(failed, 1) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
