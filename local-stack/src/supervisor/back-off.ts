const firstDelayMs = 100;
const longestDelayMs = 5000;
/** A part that stayed up this long is healthy again; its next crash starts at the first delay. */
const steadyAfterMs = 30_000;

/** The delay before restart number `failures` (1 for the first) of a part that keeps ending. */
export function backOffDelayMs(failures: number): number {
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.max(0, failures - 1));
}

/** How many failures in a row it is now, given how long the part had been up before it ended. */
export function countFailures(previousFailures: number, upMs: number): number {
  return upMs >= steadyAfterMs ? 1 : previousFailures + 1;
}
