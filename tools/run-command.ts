import { spawn } from 'node:child_process';

/** Runs a command with this terminal; resolves to whether it ended well. */
export function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env });
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0));
  });
}

/** Prints a line of progress. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`);
