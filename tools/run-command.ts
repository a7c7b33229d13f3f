import { spawn } from 'node:child_process';

/** Nothing here takes nearly so long: what does has hung, and a hung run tells nobody anything. */
const limitMs = 25 * 60_000;

/** Runs a command with this terminal; resolves to whether it ended well, and in time. */
export function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env });
    const timer = setTimeout(() => {
      say(`ended after ${limitMs / 60_000} minutes: ${args.join(' ')}`);
      child.kill('SIGKILL');
    }, limitMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

/** Prints a line of progress. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`);
