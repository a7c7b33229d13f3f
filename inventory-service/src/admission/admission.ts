import { setTimeout as sleep } from 'node:timers/promises';
import { toAppError } from '@quicksale/shared/errors';
import type { Part } from '@quicksale/shared/process';
import type { RedisServers } from '@quicksale/shared/redis';
import { admitServer, type AdmitDeps } from './admit-server.ts';

const everyMs = 1_000;

/**
 * Checks the ledger's servers at start, on every new connection to one, and every second as a net.
 * Several services may do so at once: each finds the same.
 */
export function createAdmission(deps: AdmitDeps & { connection: RedisServers }): Part {
  const { connection, log } = deps;
  const stopping = new AbortController();
  let connected = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  let forget = () => undefined as void;
  let problem: string | undefined = 'the ledger server was not checked yet';

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
      // Before the attempt: a connection that is made meanwhile asks for another one.
      connected = new AbortController();
      await attempt();
    }
  }

  return {
    name: 'admission',
    repair: 'admission',
    start: async () => {
      forget = connection.onConnected(() => connected.abort());
      await attempt();
      loop = run();
    },
    stop: async () => {
      forget();
      stopping.abort();
      await loop;
    },
    check: () => Promise.resolve(problem),
  };
}
