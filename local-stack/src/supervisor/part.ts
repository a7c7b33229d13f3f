import type { Environment } from '../system/report.ts';

/** One process under supervision: how to run it, when it is ready, how it ends. */
export interface PartOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Environment;
  readonly cwd?: string;
  readonly logFile: string;
  /** Resolves when the part can be used; the signal ends the waiting when the process is gone. */
  readonly ready: (signal: AbortSignal, pid: number) => Promise<void>;
  readonly readyTimeoutMs?: number;
  /** Parts that must be up before this one is started, and are stopped after it. */
  readonly after?: readonly string[];
  readonly stopSignal?: NodeJS.Signals;
  readonly stopTimeoutMs?: number;
  /** Exit codes of an orderly stop, besides 0 and ending by the stop signal. */
  readonly okExitCodes?: readonly number[];
  /** Exit codes after which a first start is not tried again. */
  readonly finalExitCodes?: readonly number[];
  /** Ends what the process leaves behind when it is killed; runs before it is started again. */
  readonly cleanUpAfter?: () => Promise<void>;
  /** Called with each line of the output; the log file gets it in any case. */
  readonly onLine?: (line: string) => void;
}

export type PartStatus = 'stopped' | 'starting' | 'up' | 'down';
