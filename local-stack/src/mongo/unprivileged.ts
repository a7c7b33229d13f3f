import { chown, stat } from 'node:fs/promises';
import { runCommand, tryCommand } from '../system/run-command.ts';
import { StackError } from '../system/stack-error.ts';

const systemPath = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' };

/** Runs commands as a user PostgreSQL accepts: it refuses root. */
export interface Unprivileged {
  wrap(command: string, args: readonly string[], deathSignal?: string): [string, string[]];
  /** Makes a folder that root created the other user's own. */
  own(path: string): Promise<void>;
}

const asIs: Unprivileged = {
  wrap: (command, args) => [command, [...args]],
  own: async () => undefined,
};

/**
 * As a normal user, the user itself. As root, `nobody`, if needed with the one right to pass
 * through and read folders that are closed to it: a root user's home, where cache and checkout
 * often are, is such a folder.
 */
export async function findUnprivileged(needed: readonly string[]): Promise<Unprivileged> {
  if (process.getuid?.() !== 0) {
    return asIs;
  }
  const [userId, groupId] = await idsOfNobody();
  const drop = [`--reuid=${userId}`, `--regid=${groupId}`, '--clear-groups', '--no-new-privs'];
  const withRight = (right: string): string[] => [
    // Keeps the right in force where a program asks access(2) whether it may use a file.
    '--securebits=+no_setuid_fixup',
    `--inh-caps=-all,+${right}`,
    `--ambient-caps=-all,+${right}`,
  ];
  for (const rights of [[], withRight('dac_read_search'), withRight('dac_override')]) {
    const options = [...drop, ...rights];
    if (await canReach(options, needed)) {
      return {
        wrap: (command, args, deathSignal) => {
          const death = deathSignal === undefined ? [] : [`--pdeathsig=${deathSignal}`];
          return ['setpriv', [...death, ...options, '--', command, ...args]];
        },
        own: async (path) => {
          if ((await stat(path)).uid !== userId) {
            await chown(path, userId, groupId);
          }
        },
      };
    }
  }
  throw new StackError(`PostgreSQL does not run as root, and nobody cannot use ${needed[0]}`, {
    fix: 'Run as a normal user, or put the checkout and QUICKSALE_CACHE where others may read.',
  });
}

async function idsOfNobody(): Promise<[number, number]> {
  const options = { env: systemPath };
  const user = await runCommand('id', ['-u', 'nobody'], options);
  const group = await runCommand('id', ['-g', 'nobody'], options);
  return [Number(user), Number(group)];
}

async function canReach(options: readonly string[], paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    const args = [...options, '--', 'test', '-x', path];
    if ((await tryCommand('setpriv', args, { env: systemPath })) === undefined) {
      return false;
    }
  }
  return true;
}
