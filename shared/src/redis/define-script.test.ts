import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { unavailable } from '../errors/index.ts';
import type { RedisConnection } from './connect-redis.ts';
import { defineScript, parseScriptHeader } from './define-script.ts';

const folder = mkdtempSync(join(tmpdir(), 'quicksale-script-'));
afterAll(() => rmSync(folder, { recursive: true }));

const source = `#!lua
--[[
Does a thing.
KEYS[1] admitted  string  run id
KEYS[2..] free    zset    numbers
ARGV[1] runId
ARGV[2] count     of what follows
ARGV[3..] given   per one
ARGV[..] more     per other
RETURNS "ok"
]]
-- KEYS[9] outside of the header counts for nothing
return 'ok'
`;
const file = pathToFileURL(join(folder, 'do-it.lua'));
writeFileSync(file, source);

const define = (keys: readonly string[], args: readonly string[]) =>
  defineScript({ file, keys, args, parseReply: String });
const declared = () =>
  defineScript({
    file,
    keys: ['admitted', 'free..'],
    args: ['runId', 'count', 'given..', 'more..'],
    parseReply: String,
  });

/** A connection whose server answers with what `answers` holds, in turn. */
function givenServer(...answers: unknown[]) {
  const calls: unknown[][] = [];
  const answer =
    (command: string) =>
    (...given: unknown[]) => {
      calls.push([command, ...given]);
      const next = answers.shift();
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    };
  const asked: string[] = [];
  const connection = {
    serverOf: (key: string) => {
      asked.push(key);
      return connection;
    },
    runId: () => `run-${calls.length + 1}`,
    client: { evalsha: answer('evalsha'), eval: answer('eval') },
  } as unknown as RedisConnection;
  return { connection, calls, asked };
}

const input = {
  keys: { admitted: 'a', free: ['f1', 'f2'] },
  args: { count: '2', given: ['x', 'y'], more: [] },
};

describe('the header of a script', () => {
  it('names its parameters in order, ranges with two dots', () => {
    expect(parseScriptHeader(source)).toEqual({
      keys: ['admitted', 'free..'],
      args: ['runId', 'count', 'given..', 'more..'],
    });
  });

  it('is compared with TypeScript at import, so that the two cannot drift apart', () => {
    expect(declared().name).toBe('do-it');
    const args = ['runId', 'count', 'given..', 'more..'];
    for (const keys of [[], ['admitted'], ['free..', 'admitted'], ['admitted', 'free']])
      expect(() => define(keys, args)).toThrow(/do-it\.lua: header says KEYS admitted, free\.\./);
    for (const wrong of [['runId'], ['count', 'runId', 'given..', 'more..'], [...args, 'last']])
      expect(() => define(['admitted', 'free..'], wrong)).toThrow(/header says ARGV/);
  });

  it('of every script of the ledger says what it returns', () => {
    const scripts = new URL('../stock-ledger/scripts/', import.meta.url);
    for (const name of ['reserve', 'release', 'read-holds', 'raise', 'put-sale', 'fence'])
      expect(readFileSync(new URL(`${name}.lua`, scripts), 'utf8')).toMatch(/^RETURNS /m);
  });
});

describe('a call', () => {
  it('passes keys and arguments in the order of the header, and the run id of its server', async () => {
    const { connection, calls, asked } = givenServer('ok');
    expect(await declared().run(connection, input)).toBe('ok');
    expect(asked).toEqual(['a']);
    expect(calls).toEqual([
      ['evalsha', expect.any(String), 3, 'a', 'f1', 'f2', 'run-1', '2', 'x', 'y'],
    ]);
  });

  it('sends the source to a server that does not know the script', async () => {
    const { connection, calls } = givenServer(new Error('NOSCRIPT No matching script.'), 'ok');
    expect(await declared().run(connection, input)).toBe('ok');
    expect(calls[1]?.slice(0, 4)).toEqual(['eval', source, 3, 'a']);
    // As it is known then: the first sending's may be of an earlier connection.
    expect(calls.map((call) => call[6])).toEqual(['run-1', 'run-2']);
  });

  it.each([
    "OOM command not allowed when used memory > 'maxmemory'.",
    'READONLY You can’t write against a read only replica.',
    'LOADING Redis is loading the dataset in memory',
    'MISCONF Errors writing to the AOF file',
    'BUSY Redis is busy running a script.',
    'MOVED 866 127.0.0.1:7001',
    'ASK 866 127.0.0.1:7001',
    'CLUSTERDOWN The cluster is down',
    'NOREPLICAS Not enough good replicas to write.',
    'Connection is closed.',
    "Stream isn't writeable and enableOfflineQueue options is false",
    'Command timed out',
    'read ECONNRESET',
    'Reached the max retries per request limit (which is 1).',
  ])('that ends with "%s" may succeed later', async (message) => {
    for (const answers of [[new Error(message)], [new Error('NOSCRIPT'), new Error(message)]]) {
      const { connection } = givenServer(...answers);
      await expect(declared().run(connection, input)).rejects.toMatchObject({
        code: 'dependency-unavailable',
      });
    }
  });

  it('that fails in the script is a defect', async () => {
    const message = 'ERR user_script:9: attempt to index a nil value';
    const { connection } = givenServer(new Error(message));
    await expect(declared().run(connection, input)).rejects.toMatchObject({
      code: 'internal',
      cause: { message: 'do-it.lua failed', cause: { message } },
    });
  });

  it('is not made while no server is known', async () => {
    const { connection, calls } = givenServer('ok');
    connection.runId = () => {
      throw unavailable('away');
    };
    await expect(declared().run(connection, input)).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
    expect(calls).toEqual([]);
  });
});
