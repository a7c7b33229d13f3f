import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { makeBrokenCopy } from '../src/broken/make-broken-copy.ts';
import { variants } from '../src/broken/variants.ts';

jest.setTimeout(120_000);

/** Variants that no history of the simulation tells from the sound ones. */
const beyondIt = ['fence-ignored'];

/** A checker that finds nothing wrong with QuickSale has to find what is wrong with these. */
describe('the simulation names what is broken', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quicksale-broken-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(
    variants
      .filter(({ name }) => !beyondIt.includes(name))
      .map((variant) => [variant.name, variant] as const),
  )('%s', async (name, variant) => {
    const copy = await makeBrokenCopy(variant, join(folder, name));
    const startedMs = performance.now();
    const run = spawnSync(
      process.execPath,
      [
        join(copy, 'loadtest/src/simulation/main.ts'),
        ...['--seeds', '5000', '--workers', '1', '--stop-at-first'],
      ],
      { encoding: 'utf8' },
    );
    const [, seed, invariant] = /^seed (\d+): (\w+):/m.exec(run.stdout) ?? [];
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    process.stdout.write(`${name}: ${invariant} by seed ${seed}, after ${seconds} s\n`);
    expect(run.status).toBe(1);
    expect(variant.expected).toContain(invariant);
  });
});
