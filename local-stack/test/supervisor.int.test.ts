import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createSupervisor, type PartOptions, type Supervisor } from '../src/index.ts';
import { endProcessesIn } from '../src/system/end-processes-in.ts';
import { isPortFree, findFreePorts } from '../src/system/ports.ts';
import { waitUntil } from '../src/system/wait-until.ts';

let folder: string;
let supervisor: Supervisor;
let port: number;
const env = { PATH: process.env.PATH };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quicksale-supervisor-'));
  supervisor = await createSupervisor({ pidFolder: folder, env });
  [port = 0] = await findFreePorts(1, process.env);
});
afterEach(async () => {
  await supervisor.stop();
  await rm(folder, { recursive: true });
});

/** Asks by connecting: trying to take the port would get in the child's way. */
async function isListening(at: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port: at, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A part that runs `script` in Node and is ready when its port is taken. */
function part(script: string, more: Partial<PartOptions> = {}): PartOptions {
  return {
    name: 'child',
    command: process.execPath,
    args: ['-e', script],
    env: { ...env, PORT: String(port) },
    logFile: join(folder, 'child.log'),
    ready: async (signal) => waitUntil(async () => isListening(port), { signal, intervalMs: 10 }),
    ...more,
  };
}

const server = `
  console.log('hello');
  require('net').createServer().listen(Number(process.env.PORT), '127.0.0.1');
`;

describe('supervisor', () => {
  test('starts a crashed part again, as a new process', async () => {
    supervisor.add(part(server));
    await supervisor.start();
    const first = supervisor.pid('child');
    const wentDown = once(supervisor, 'down');
    expect(supervisor.kill('child', 'SIGKILL')).toBe(true);
    expect(await wentDown).toEqual([{ name: 'child', reason: 'ended by SIGKILL' }]);
    await supervisor.waitUntilUp('child');
    expect(supervisor.pid('child')).not.toBe(first);
    expect(await readFile(join(folder, 'child.log'), 'utf8')).toBe('hello\nhello\n');
    expect(await readdir(folder)).toContain('child.pid');
  });

  test('starts again although children outlive the killed process', async () => {
    const parent = `
      require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'],
        { stdio: 'inherit', detached: true, cwd: ${JSON.stringify(folder)} });
      ${server}`;
    supervisor.add(part(parent, { cleanUpAfter: async () => endProcessesIn(folder) }));
    await supervisor.start();
    const first = supervisor.pid('child');
    const wentDown = once(supervisor, 'down');
    supervisor.kill('child', 'SIGKILL');
    await wentDown;
    await supervisor.waitUntilUp('child');
    expect(supervisor.pid('child')).not.toBe(first);
  });

  test('ends with SIGKILL what does not end when asked', async () => {
    const stubborn = `process.on('SIGTERM', () => {}); ${server}`;
    supervisor.add(part(stubborn, { stopTimeoutMs: 100 }));
    await supervisor.start();
    await supervisor.stop();
    expect(await isPortFree(port)).toBe(true);
    expect(await readdir(folder)).not.toContain('child.pid');
  });

  test('gives up on a part that never starts, with its last words', async () => {
    supervisor.add(
      part(`console.error('no such setting'); process.exit(78)`, { finalExitCodes: [78] }),
    );
    await expect(supervisor.start()).rejects.toThrow(/exit code 78\n.*no such setting/);
  });

  test('gives up on a command that does not exist', async () => {
    supervisor.add(part('', { command: '/no/such/program' }));
    await expect(supervisor.start()).rejects.toThrow('did not start');
  });

  test('starts a part after those it needs and stops it before them', async () => {
    const [otherPort = 0] = await findFreePorts(1, process.env);
    const order: string[] = [];
    supervisor.on('up', ({ name }) => order.push(name));
    const needs = {
      name: 'needs-child',
      after: ['child'],
      env: { ...env, PORT: String(otherPort) },
    };
    supervisor.add(
      part(server, { ...needs, logFile: join(folder, 'other.log'), ready: async () => sleep(1) }),
    );
    supervisor.add(part(server));
    await supervisor.start();
    expect(order).toEqual(['child', 'needs-child']);
  });

  test('a stopped part stays away until it is started', async () => {
    supervisor.add(part(server));
    await supervisor.start();
    await supervisor.stopPart('child');
    await sleep(200);
    expect(await isPortFree(port)).toBe(true);
    await supervisor.start(['child']);
    expect(supervisor.isUp('child')).toBe(true);
  });
});
