import { setTimeout as sleep } from 'node:timers/promises';
import { toAppError } from '@quicksale/shared/errors';
import type { Part } from '@quicksale/shared/process';
import type { RedisConnection } from '@quicksale/shared/redis';
import { admitServer, type AdmitDeps } from './admit-server.ts';

const everyMs = 1_000;
const pollMs = 5;

/**
 * Checks the ledger's server at start, on every new connection to it, and every second as a net.
 * Several services may do so at once: each finds the same.
 */
export function createAdmission(deps: AdmitDeps & { connection: RedisConnection }): Part {
  const { connection, log } = deps;
  const stopping = new AbortController();
  let connected = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  let problem: string | undefined = 'the ledger server was not checked yet';

  const onReady = () => connected.abort();

  async function attempt(): Promise<void> {
    try {
      await admitServer(deps);
      problem = undefined;
    } catch (error) {
      const { kind } = toAppError(error);
      if (problem === undefined || kind !== 'unavailable')
        log[kind === 'unavailable' ? 'warn' : 'error']({ err: error }, 'the ledger is not checked');
      problem = 'the ledger server is not checked';
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const signal = AbortSignal.any([stopping.signal, connected.signal]);
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      if (connected.signal.aborted) await runIdKnown();
      await attempt();
    }
  }

  /** A new connection asks for the server's run id first. */
  async function runIdKnown(): Promise<void> {
    connected = new AbortController();
    const deadline = performance.now() + everyMs;
    while ((await connection.check?.()) !== undefined && performance.now() < deadline)
      await sleep(pollMs);
  }

  return {
    name: 'admission',
    start: async () => {
      connection.client.on('ready', onReady);
      await attempt();
      loop = run();
    },
    stop: async () => {
      connection.client.off('ready', onReady);
      stopping.abort();
      await loop;
    },
    check: () => Promise.resolve(problem),
  };
}
