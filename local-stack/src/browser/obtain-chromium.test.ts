import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { obtainChromium } from './obtain-chromium.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quicksale-browser-'));
});
afterEach(async () => rm(folder, { recursive: true }));

async function givenProgram(name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, '');
  await chmod(path, 0o755);
  return path;
}

test('the one that CHROMIUM names is taken before any on PATH, Chromium before Chrome', async () => {
  const chrome = await givenProgram('google-chrome');
  expect(await obtainChromium({ PATH: folder })).toMatchObject({ command: chrome, env: {} });
  const chromium = await givenProgram('chromium');
  expect(await obtainChromium({ PATH: folder })).toMatchObject({ command: chromium, env: {} });
  const env = { PATH: folder, CHROMIUM: '/opt/browser' };
  expect(await obtainChromium(env)).toMatchObject({ command: '/opt/browser', env: {} });
});

test('one that cannot be obtained is told with what to do', async () => {
  // No apt on PATH, or no Debian at all.
  const failed = obtainChromium({ PATH: folder, QUICKSALE_CACHE: folder });
  await expect(failed).rejects.toMatchObject({
    message: expect.stringContaining('no browser could be obtained'),
    fix: expect.stringContaining('CHROMIUM'),
  });
});
