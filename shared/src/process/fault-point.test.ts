import { spawnSync } from 'node:child_process';
import { expect, it } from '@jest/globals';

const run = (armed: string) =>
  spawnSync(process.execPath, [
    '--input-type=module-typescript',
    '-e',
    `import { armFaultPoint, faultPoint } from '${import.meta.dirname}/fault-point.ts';
     armFaultPoint(${armed});
     faultPoint('after-house-reserve');
     process.stdout.write('alive');`,
  ]);

it('kills the process at the armed point only', () => {
  expect(run("'after-house-reserve'")).toMatchObject({ signal: 'SIGKILL' });
  expect(run("'after-house-ship'").stdout.toString()).toBe('alive');
  expect(run('undefined').stdout.toString()).toBe('alive');
});
