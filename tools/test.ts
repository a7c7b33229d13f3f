// npm test: the checks, the simulation, then integration and end-to-end tests on real servers, which this starts on
// free ports in a temporary folder and stops again. `npm test -- int [jest arguments]` runs one level.
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgressPrinter, startServers } from '@quicksale/local-stack';
import { compareWithDocs, readSeenAnswers } from './answers-seen.ts';
import { check } from './check.ts';
import { allRoutes } from './openapi.ts';
import { runCommand, say } from './run-command.ts';
import { runJest, type Tally } from './run-jest.ts';

const levels = ['unit', 'int', 'e2e'] as const;
type Level = (typeof levels)[number];

/** Files at a time that keep two cores busy: system tests start many processes, others wait a lot. */
const jestArgs: Readonly<Record<Level, readonly string[]>> = {
  unit: [],
  int: ['--maxWorkers=4', '--testTimeout=30000'],
  e2e: ['--maxWorkers=2', '--testTimeout=30000'],
};

async function run(): Promise<Tally> {
  const [level, ...args] = process.argv.slice(2);
  if (level === 'unit') return runJest('unit', args);
  if (level === 'int' || level === 'e2e') return withServers((env) => runLevel(level, args, env));
  if (level !== undefined) throw new Error(`npm test -- ${levels.join('|')} [jest arguments]`);
  const checked = await check();
  // Servers mostly wait while they start.
  const simulating = simulate();
  const tested = await withServers((env) =>
    withAnswersWatched(env, async (watched) => {
      await simulating;
      return sum(await runLevel('int', [], watched), await runLevel('e2e', [], watched));
    }),
  );
  return sum(sum(checked, await simulating), tested);
}

/** Plays as many histories as three minutes allow; that is one more test. */
async function simulate(): Promise<Tally> {
  const passed = await runCommand(process.execPath, [
    'loadtest/src/simulation/main.ts',
    ...['--seeds', process.env.SIMULATION_SEEDS ?? '10000', '--seconds', '180'],
  ]);
  say(`${passed ? 'ok  ' : 'FAIL'} simulation`);
  return { passed: Number(passed), failed: Number(!passed) };
}

/** Runs tests and compares what the routes answered meanwhile with the API docs; that is one more test. */
async function withAnswersWatched(
  env: NodeJS.ProcessEnv,
  work: (env: NodeJS.ProcessEnv) => Promise<Tally>,
): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'quicksale-answers-'));
  const file = join(folder, 'answers.jsonl');
  writeFileSync(file, '');
  const watcher = new URL('./watch-answers.ts', import.meta.url).href;
  try {
    const tested = await work({
      ...env,
      QUICKSALE_ANSWERS_FILE: file,
      NODE_OPTIONS: `${env.NODE_OPTIONS ?? ''} --import ${watcher}`,
    });
    const wrong = compareWithDocs(allRoutes, readSeenAnswers(file));
    for (const sentence of wrong) say(sentence);
    say(`${wrong.length === 0 ? 'ok  ' : 'FAIL'} answers and API docs agree`);
    return sum(tested, { passed: Number(wrong.length === 0), failed: Number(wrong.length > 0) });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const runLevel = (level: Level, args: readonly string[], env: NodeJS.ProcessEnv) =>
  runJest(level, [...jestArgs[level], ...args], env);

async function withServers(work: (env: NodeJS.ProcessEnv) => Promise<Tally>): Promise<Tally> {
  const folder = mkdtempSync(join(folderForTests(), 'quicksale-test-'));
  const [dataDirectory, temporary] = [join(folder, 'servers'), join(folder, 'tmp')];
  mkdirSync(temporary);
  const servers = await startServers({
    dataDirectory,
    ports: 'free',
    env: process.env,
    report: createProgressPrinter((text) => void process.stdout.write(text)),
  });
  try {
    return await work({
      ...process.env,
      ...servers.urls,
      // The tests start hundreds of processes of a few services: each is compiled once.
      NODE_COMPILE_CACHE: join(folder, 'compiled'),
      // For the servers that tests start themselves.
      TMPDIR: temporary,
    });
  } finally {
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What all servers of the tests write at most. */
const roomBytes = 4 * 1024 ** 3;

/**
 * Where the servers keep their files: in memory where there is room, since they wait for the disk at
 * every write, and whatever is killed here is a process and never the machine. TMPDIR names another place.
 */
function folderForTests(): string {
  const inMemory = '/dev/shm';
  if (process.env.TMPDIR || !existsSync(inMemory)) return tmpdir();
  const { bavail, bsize } = statfsSync(inMemory);
  return bavail * bsize >= roomBytes ? inMemory : tmpdir();
}

const sum = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
});

const startedAt = Date.now();
const { passed, failed } = await run();
say(`in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
