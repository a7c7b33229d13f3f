import type { StackFolders } from './stack-folders.ts';
import type { PartOptions } from './supervisor/part.ts';
import type { Environment, Report } from './system/report.ts';

/** What each kind of server is given to get itself running. */
export interface Plan {
  readonly cacheFolder: string;
  readonly folders: StackFolders;
  readonly env: Environment;
  readonly report: Report;
  /** The port to use, made sure to be free. */
  readonly choosePort: (variable: string, standard: number) => Promise<number>;
  readonly hasDocker: () => Promise<boolean>;
  /** Puts parts under supervision and starts them; resolves when all are up. */
  readonly run: (parts: readonly PartOptions[]) => Promise<void>;
  /** Work to do after the parts have been stopped. */
  readonly atEnd: (action: () => Promise<void>) => void;
}

export interface Planned {
  readonly url: string;
  readonly source: string;
}

/** Obtains something with a progress line at its begin, when it has to wait, and at its end. */
export async function obtainWithReport<T>(
  plan: Plan,
  part: string,
  obtain: (options: { cacheFolder: string; env: Environment; waiting: () => void }) => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const { cacheFolder, env, report } = plan;
  let hasSaidWaiting = false;
  const waiting = (): void => {
    if (!hasSaidWaiting) {
      hasSaidWaiting = true;
      report({ part, state: 'obtaining', message: 'another launcher is obtaining it; waiting' });
    }
  };
  // What is in the cache is there at once and needs no line.
  const timer = setTimeout(() => {
    report({ part, state: 'obtaining', message: 'downloading or building (once)' });
  }, 500);
  const reminder = setInterval(() => {
    const elapsedMs = performance.now() - startedAt;
    report({ part, state: 'obtaining', message: 'still at work', elapsedMs });
  }, 30_000);
  try {
    return await obtain({ cacheFolder, env, waiting });
  } finally {
    clearTimeout(timer);
    clearInterval(reminder);
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs > 500) {
      report({ part, state: 'obtaining', message: 'obtained', elapsedMs });
    }
  }
}
