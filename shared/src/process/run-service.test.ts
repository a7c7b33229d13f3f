import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const folder = import.meta.dirname;

/** A process whose service would say that it was built. */
const run = (env: Readonly<Record<string, string>>) =>
  spawnSync(
    process.execPath,
    [
      '--input-type=module-typescript',
      '-e',
      `import { runService } from '${join(folder, 'run-service.ts')}';
       import { processFields } from '${join(folder, '../config/index.ts')}';
       await runService({
         name: 'test',
         config: processFields('TEST', 0),
         env: process.env,
         build: () => { process.stdout.write('built'); process.exit(0); },
       });`,
    ],
    {
      env: { PATH: process.env.PATH, INTERNAL_KEY: 'an internal key of a test', ...env },
    },
  );

it.each([
  ['QUICKSALE_FAULT', 'after-insert', 'after-lunch'],
  ['QUICKSALE_REPAIRS_OFF', 'outbox-scan,resume', 'outbox-scan,hope'],
])('%s is for tests: refused in production and when it is unknown', (name, known, unknown) => {
  expect(run({ [name]: known }).stdout.toString()).toBe('built');
  const production = run({ [name]: known, NODE_ENV: 'production' });
  expect(production).toMatchObject({ status: 78 });
  expect(production.stderr.toString()).toContain(`${name} is for tests`);
  expect(run({ [name]: unknown })).toMatchObject({ status: 78 });
});
