// npm run simulate -- --seeds 1000 [--from 1]: plays that many histories on all cores.
// npm run simulate -- --seed 4711: plays one and writes down every step.
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runSeed } from './run-seed.ts';
import { addUp, inWords, noSeeds, notMet, type Sum } from './sum.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    seconds: { type: 'string', default: '3600' },
    workers: { type: 'string', default: String(availableParallelism()) },
    /** Of a worker: it plays every so manieth seed. */
    every: { type: 'string', default: '0' },
    'stop-at-first': { type: 'boolean', default: false },
  },
});

// Most errors here are faults that were asked for; where they were made is told by their names.
if (values.seed === undefined) Error.stackTraceLimit = 0;

/** Plays every `step`-th seed from `from` on, until there are no more or time is up. */
async function play(from: number, until: number, step: number): Promise<Sum> {
  const endMs = Date.now() + Number(values.seconds) * 1_000;
  let sum = noSeeds;
  for (let seed = from; seed < until && Date.now() < endMs; seed += step) {
    sum = addUp(sum, await runSeed(seed));
    if (values['stop-at-first'] && sum.broken.length > 0) break;
  }
  return sum;
}

function playElsewhere(from: number, until: number, step: number): Promise<Sum> {
  return new Promise((resolve, reject) => {
    const args = ['--seeds', String(until - from), '--from', String(from), '--every', String(step)];
    const stop = values['stop-at-first'] ? ['--stop-at-first'] : [];
    const child = fork(import.meta.filename, [...args, ...stop, '--seconds', values.seconds]);
    child.once('message', (sum) => resolve(sum as Sum));
    child.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)));
  });
}

async function playAll(): Promise<void> {
  const from = Number(values.from);
  const until = from + Number(values.seeds);
  const workers = Number(values.workers);
  const every = Number(values.every);
  if (every > 0) {
    process.send?.(await play(from, until, every));
    process.disconnect?.();
    return;
  }
  const startedMs = Date.now();
  const shares = Array.from({ length: workers }, (_, index) =>
    workers === 1 ? play(from, until, 1) : playElsewhere(from + index, until, workers),
  );
  const sum = (await Promise.all(shares)).reduce(addUp, noSeeds);
  for (const line of inWords(sum, (Date.now() - startedMs) / 1_000)) say(line);
  process.exitCode = sum.broken.length > 0 || notMet(sum).length > 0 ? 1 : 0;
}

if (values.seed === undefined) await playAll();
else {
  const { violations, steps, counts } = await runSeed(Number(values.seed), say);
  say(JSON.stringify(counts));
  for (const one of violations) say(one);
  say(`seed ${values.seed}: ${steps} steps, ${violations.length} violations`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
