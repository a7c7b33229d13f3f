const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A terminal's Ctrl-C arrives twice under npm (directly and passed on); that is one request. */
const sameRequestMs = 1000;

/** Resolves at the first request to stop; a second one, after a moment, ends the process at once. */
export async function untilAskedToStop(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    for (const signal of signals) {
      process.on(signal, () => {
        if (firstAt === undefined) {
          firstAt = performance.now();
          resolve(signal);
        } else if (performance.now() - firstAt > sameRequestMs) {
          process.exit(130);
        }
      });
    }
  });
}
