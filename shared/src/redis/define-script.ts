import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AppError, unavailable } from '../errors/index.ts';
import type { RedisServers } from './connect-redis.ts';

/** By name: a string for `name`, a list for a range `name..`. */
type Named<N extends string> = {
  [K in N as K extends `${infer Base}..` ? Base : K]: K extends `${string}..`
    ? readonly string[]
    : string;
};

export interface Script<K extends string, A extends string, R> {
  name: string;
  /** Runs it on the server that has its keys; the run id of that server is added. */
  run(
    servers: RedisServers,
    input: { keys: Named<K>; args: Named<Exclude<A, 'runId'>> },
  ): Promise<R>;
}

/**
 * A Lua script with a numbered contract in its header. `keys` and `args` name the same parameters
 * in the same order as the header's KEYS and ARGV lines (`name..` for a range); a difference throws
 * at import, so the two cannot drift apart. All keys share a hash tag, so the first tells the server.
 * `run` throws AppError `dependency-unavailable` when the server is away, read-only, loading or out
 * of memory, or does not have the keys any more; the outcome is then unknown.
 */
export function defineScript<const K extends string, const A extends string, R>(options: {
  file: URL;
  keys: readonly K[];
  args: readonly A[];
  parseReply: (reply: unknown) => R;
}): Script<K, A, R> {
  const source = readFileSync(options.file, 'utf8');
  const name = /([^/]+)\.lua$/.exec(options.file.pathname)?.[1] ?? options.file.pathname;
  const header = parseScriptHeader(source);
  requireSame(name, 'KEYS', header.keys, options.keys);
  requireSame(name, 'ARGV', header.args, options.args);
  const sha = createHash('sha1').update(source).digest('hex');

  async function run(
    servers: RedisServers,
    input: { keys: Named<K>; args: Named<Exclude<A, 'runId'>> },
  ): Promise<R> {
    const keys = flatten(options.keys, input.keys);
    const server = servers.serverOf(keys[0] ?? '');
    // For each sending anew: a run id must not outlive the connection that it was learnt over.
    const parameters = () =>
      [
        keys.length,
        ...keys,
        ...flatten(options.args, { ...input.args, runId: server.runId() }),
      ] as const;
    try {
      return options.parseReply(await server.client.evalsha(sha, ...parameters()));
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw translate(name, error);
    }
    // A server that does not know the script yet learns it by this very call.
    try {
      return options.parseReply(await server.client.eval(source, ...parameters()));
    } catch (error) {
      throw translate(name, error);
    }
  }

  return { name, run };
}

/** Parameter names in the order of the header's KEYS and ARGV lines; a range ends in `..`. */
export function parseScriptHeader(source: string): { keys: string[]; args: string[] } {
  const comment = /--\[\[([\s\S]*?)\]\]/.exec(source)?.[1] ?? '';
  const names = (kind: string) =>
    [...comment.matchAll(new RegExp(`^${kind}\\[(\\d*(?:\\.\\.)?)\\] (\\w+)`, 'gm'))].map(
      ([, index, name]) => (index?.endsWith('..') ? `${name}..` : String(name)),
    );
  return { keys: names('KEYS'), args: names('ARGV') };
}

function requireSame(
  script: string,
  kind: string,
  header: readonly string[],
  declared: readonly string[],
): void {
  if (header.join() === declared.join()) return;
  throw new Error(
    `${script}.lua: header says ${kind} ${header.join(', ')}, TypeScript says ${declared.join(', ')}`,
  );
}

function flatten(
  names: readonly string[],
  values: Readonly<Record<string, string | readonly string[]>>,
): string[] {
  return names.flatMap((name) => values[name.replace(/\.\.$/, '')] ?? []);
}

const isReply = (error: unknown, prefix: string) =>
  Error.isError(error) && error.message.startsWith(prefix);

/**
 * Replies and client errors after which the same call may succeed later. MOVED and ASK too: nothing
 * ran, and what the call says of its server does not hold for the one that has the keys now.
 */
const passing =
  /^(LOADING|OOM|READONLY|MISCONF|BUSY|NOREPLICAS|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK)|Connection is closed|Stream isn't writeable|Command timed out|max retries|ECONN|EPIPE|socket/i;

function translate(script: string, error: unknown): unknown {
  if (error instanceof AppError) return error;
  if (Error.isError(error) && passing.test(`${error.message} ${error.name}`))
    return unavailable('The stock ledger is not reachable', error);
  return new AppError('internal', { cause: new Error(`${script}.lua failed`, { cause: error }) });
}
