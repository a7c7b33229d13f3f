import { spawnSync } from 'node:child_process';
import { expect, it } from '@jest/globals';

const run = (armed: string, code = "faultPoint('after-house-reserve');") =>
  spawnSync(process.execPath, [
    '--input-type=module-typescript',
    '-e',
    `import { armFaultPoint, faultPoint, faultPointSoon } from '${import.meta.dirname}/fault-point.ts';
     armFaultPoint(${armed});
     ${code}
     process.stdout.write('alive');`,
  ]);

it('kills the process at the armed point only', () => {
  expect(run("'after-house-reserve'")).toMatchObject({ signal: 'SIGKILL' });
  expect(run("'after-house-ship'").stdout.toString()).toBe('alive');
  expect(run('undefined').stdout.toString()).toBe('alive');
});

it('lets what has begun go on for a moment, and whoever waits for more wait for ever', () => {
  const code = `
    setTimeout(() => process.stdout.write('begun '), 5);
    await faultPointSoon('after-answer', 100);`;
  const dying = run("'after-answer'", code);
  expect(dying).toMatchObject({ signal: 'SIGKILL' });
  expect(dying.stdout.toString()).toBe('begun ');
  expect(run("'after-insert'", code).stdout.toString()).toContain('alive');
});
