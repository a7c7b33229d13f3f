import { toAppError } from '../errors/index.ts';
import type { Logger } from '../log/index.ts';
import type { Repair } from './repairs.ts';
import type { Part } from './service.ts';

/**
 * Work that is done again and again while the process runs, never twice at the same time. A failed
 * round is logged and the next one comes as if nothing had happened: the work finds what is left.
 */
export function repeat(options: {
  name: string;
  repair?: Repair;
  everyMs: number;
  log: Logger;
  work: () => Promise<void>;
}): Part {
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> = Promise.resolve();
  let stopped = false;

  async function run(): Promise<void> {
    try {
      await options.work();
    } catch (error) {
      const { kind } = toAppError(error);
      const level = kind === 'unavailable' ? 'debug' : 'error';
      options.log[level]({ err: error, work: options.name }, 'a round failed');
    }
    if (!stopped) schedule();
  }

  function schedule(): void {
    timer = setTimeout(() => {
      round = run();
    }, options.everyMs);
  }

  return {
    name: options.name,
    ...(options.repair && { repair: options.repair }),
    start: async () => schedule(),
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}
