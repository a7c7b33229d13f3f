import { type ChildProcess, spawn } from 'node:child_process';
import type { Environment } from './report.ts';
import { StackError, errorCode } from './stack-error.ts';

export interface CommandOptions {
  readonly env: Environment;
  readonly cwd?: string;
  readonly input?: string;
  readonly timeoutMs?: number;
  /** Said when the program itself is missing. */
  readonly fix?: string;
}

const keptOutput = 4_000_000;
const running = new Set<ChildProcess>();

/** A build that nobody waits for any more must not go on after the launcher's end. */
function endWithLauncher(child: ChildProcess): void {
  if (running.size === 0) {
    process.on('exit', endRunning);
  }
  running.add(child);
  child.once('close', () => {
    running.delete(child);
    if (running.size === 0) {
      process.off('exit', endRunning);
    }
  });
}

function endRunning(): void {
  for (const child of running) {
    child.kill();
  }
}

/** Runs one program to its end and returns its stdout; a failure carries the end of its stderr. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: options.env,
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    endWithLauncher(child);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-keptOutput);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-20_000);
    });
    child.once('error', (cause) => {
      const missing = errorCode(cause) === 'ENOENT';
      const message = missing ? `${command} is not installed` : `${command} could not run`;
      reject(new StackError(message, { cause, fix: options.fix }));
    });
    child.once('close', (code, signal) => {
      if (code === 0) {
        resolve(stdout);
        return;
      }
      const ending = (stderr.trim() || stdout.trim()).split('\n').slice(-12).join('\n  ');
      const line = [command, ...args.slice(0, 3)].join(' ');
      reject(new StackError(`"${line}" failed (${code ?? signal}):\n  ${ending}`));
    });
    // A program that ends without reading its input is judged by its exit code, not by EPIPE.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
  });
}

/** The same, for programs whose failure is an answer ("there is none"). */
export async function tryCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string | undefined> {
  try {
    return await runCommand(command, args, options);
  } catch {
    return undefined;
  }
}
