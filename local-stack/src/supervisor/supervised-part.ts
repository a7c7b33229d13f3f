import { type ChildProcess, spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { CappedLog } from '../system/capped-log.ts';
import { writePidFile } from '../system/pid-file.ts';
import { StackError } from '../system/stack-error.ts';
import { backOffDelayMs, countFailures } from './back-off.ts';
import { splitLines } from './line-splitter.ts';
import type { PartOptions, PartStatus } from './part.ts';

export interface PartListener {
  up(name: string, elapsedMs: number): void;
  down(name: string, reason: string): void;
  restarting(name: string, delayMs: number): void;
}

const triesOfFirstStart = 6;
const defaultReadyTimeoutMs = 60_000;
const defaultStopTimeoutMs = 15_000;

/**
 * One part's life: stopped -> starting -> up -> down -> starting -> ..., until `stop`. There is at
 * most one process of a part at any time: the loop below is the only place that starts one.
 */
export class SupervisedPart {
  readonly options: PartOptions;
  readonly #pidFolder: string;
  readonly #listener: PartListener;
  readonly #deathSignal: readonly string[];
  #status: PartStatus = 'stopped';
  #child: ChildProcess | undefined;
  #loop: Promise<void> | undefined;
  #stopping = new AbortController();
  #waiters: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(options: {
    part: PartOptions;
    pidFolder: string;
    listener: PartListener;
    /** Command in front of the part's own that ends it when the launcher is killed. */
    deathSignalWrapper: (signal: NodeJS.Signals) => readonly string[];
  }) {
    this.options = options.part;
    this.#pidFolder = options.pidFolder;
    this.#listener = options.listener;
    this.#deathSignal = options.deathSignalWrapper(options.part.stopSignal ?? 'SIGTERM');
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isUp(): boolean {
    return this.#status === 'up';
  }

  /** Begins the part's life; resolves when it is up for the first time. */
  async start(): Promise<void> {
    if (this.#loop === undefined) {
      this.#stopping = new AbortController();
      this.#loop = this.#run();
    }
    return this.waitUntilUp();
  }

  async waitUntilUp(): Promise<void> {
    if (this.#status === 'up') {
      return;
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  kill(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) ?? false;
  }

  async stop(): Promise<void> {
    const loop = this.#loop;
    if (loop === undefined) {
      return;
    }
    this.#stopping.abort();
    const child = this.#child;
    if (child !== undefined && !hasEnded(child)) {
      child.kill(this.options.stopSignal ?? 'SIGTERM');
      const timer = setTimeout(
        () => child.kill('SIGKILL'),
        this.options.stopTimeoutMs ?? defaultStopTimeoutMs,
      );
      await loop;
      clearTimeout(timer);
    }
    await loop;
    this.#loop = undefined;
  }

  async #run(): Promise<void> {
    let failures = 0;
    let wasUp = false;
    while (!this.#stopping.signal.aborted) {
      const outcome = await this.#runOnce();
      wasUp ||= outcome.upMs > 0;
      if (this.#stopping.signal.aborted) {
        break;
      }
      failures = countFailures(failures, outcome.upMs);
      this.#listener.down(this.options.name, outcome.reason);
      if (!wasUp && (failures >= triesOfFirstStart || outcome.isFinal)) {
        this.#giveUp(outcome);
        break;
      }
      const delayMs = backOffDelayMs(failures);
      this.#listener.restarting(this.options.name, delayMs);
      await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
    this.#status = 'stopped';
    this.#settleWaiters(new StackError(`${this.options.name} was stopped`));
  }

  #giveUp(outcome: Outcome): void {
    const { name, logFile } = this.options;
    const lines = outcome.lastLines.map((line) => `\n    ${line.slice(0, 300)}`).join('');
    this.#settleWaiters(
      new StackError(`${name} did not start: ${outcome.reason}${lines}`, {
        fix: `The whole output is in ${logFile}`,
      }),
    );
    this.#loop = undefined;
  }

  async #runOnce(): Promise<Outcome> {
    const { command, args, cwd, env, logFile, name } = this.options;
    const log = new CappedLog(logFile);
    const lastLines: string[] = [];
    const [program = command, ...programArgs] = [...this.#deathSignal, command, ...args];
    this.#status = 'starting';
    const startedAt = performance.now();
    // Detached: a Ctrl-C in the terminal must reach the launcher alone, which then stops the parts
    // in their order.
    const child = spawn(program, programArgs, {
      cwd,
      env: { ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    const ended = new AbortController();
    const closed = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) => resolve(this.#describeEnd(code, signal)));
    });
    for (const stream of [child.stdout, child.stderr]) {
      const takeLines = splitLines((line) => {
        lastLines.push(line);
        lastLines.splice(0, lastLines.length - 8);
        this.options.onLine?.(line);
      });
      stream.on('data', (bytes: Buffer) => {
        log.write(bytes);
        takeLines(bytes.toString('utf8'));
      });
    }
    const gone = once(child, 'exit').then(
      () => ended.abort(new StackError(`${name} ended`)),
      (error: unknown) => ended.abort(error),
    );
    const pidFile = join(this.#pidFolder, `${name}.pid`);
    if (child.pid !== undefined) {
      await writePidFile(pidFile, child.pid, env);
    }
    let upAt: number | undefined;
    let isFinal = false;
    const timeout = AbortSignal.timeout(this.options.readyTimeoutMs ?? defaultReadyTimeoutMs);
    try {
      const signals = [ended.signal, timeout, this.#stopping.signal];
      await this.options.ready(AbortSignal.any(signals), child.pid ?? 0);
      upAt = performance.now();
      this.#status = 'up';
      this.#listener.up(name, upAt - startedAt);
      this.#settleWaiters();
    } catch (error) {
      // Either the process ended, which the wait below reports, or it never became ready.
      if (!ended.signal.aborted && !this.#stopping.signal.aborted) {
        isFinal = true;
        lastLines.push(timeout.aborted ? 'not ready in time' : String(error));
        child.kill('SIGKILL');
      }
    }
    await gone;
    // Children that outlive it hold its pipes open: without this its end would never be seen.
    await this.options.cleanUpAfter?.();
    const reason = await closed;
    isFinal ||= (this.options.finalExitCodes ?? []).includes(child.exitCode ?? -1);
    this.#status = 'down';
    this.#child = undefined;
    log.close();
    await rm(pidFile, { force: true });
    const upMs = upAt === undefined ? 0 : performance.now() - upAt;
    return { reason, upMs, isFinal, lastLines };
  }

  #describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
    if (signal !== null) {
      return `ended by ${signal}`;
    }
    const isOrderly = code === 0 || (this.options.okExitCodes ?? []).includes(code ?? -1);
    return isOrderly ? 'ended by itself' : `ended with exit code ${code}`;
  }

  #settleWaiters(error?: StackError): void {
    for (const waiter of this.#waiters.splice(0)) {
      if (error === undefined) {
        waiter.resolve();
      } else {
        waiter.reject(error);
      }
    }
  }
}

interface Outcome {
  readonly reason: string;
  readonly upMs: number;
  readonly isFinal: boolean;
  readonly lastLines: readonly string[];
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
