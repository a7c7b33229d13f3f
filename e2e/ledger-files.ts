import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { System } from './system.ts';

export interface LedgerFiles {
  /** Where the server has its log. */
  folder: string;
  /** A copy of the log as it is now; a server that is set back to it forgets what came later. */
  copy(name?: string): Promise<string>;
  /** The server starts again on what `change` has made of its files. */
  restartOn(change: () => Promise<unknown>): Promise<void>;
  /** Puts a copy in the place of the log; for `restartOn`. */
  setBackTo(copy: string): Promise<void>;
}

/** The append-only files of a system's own ledger server. */
export async function openLedgerFiles(system: System): Promise<LedgerFiles> {
  const [, directory = ''] = await system.ledgerRedis.client.config('GET', 'dir');
  const folder = join(directory, 'appendonlydir');
  return {
    folder,
    copy: async (name = 'copy') => {
      const copy = `${folder}-${name}`;
      await cp(folder, copy, { recursive: true });
      return copy;
    },
    restartOn: async (change) => {
      await system.supervisor.stopPart('redis-ledger');
      await change();
      await system.supervisor.start(['redis-ledger']);
    },
    setBackTo: async (copy) => {
      await rm(folder, { recursive: true });
      await cp(copy, folder, { recursive: true });
      await rm(copy, { recursive: true });
    },
  };
}
