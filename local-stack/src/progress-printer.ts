import pc from 'picocolors';
import type { Report, ReportEvent } from './system/report.ts';

const colours = {
  obtaining: pc.cyan,
  starting: pc.cyan,
  up: pc.green,
  down: pc.red,
  restarting: pc.yellow,
  stopped: pc.dim,
  note: pc.yellow,
} as const;

/** Prints one line for each step: which part, what, and how long it took. */
export function createProgressPrinter(write: (text: string) => void): Report {
  return (event) => write(`${progressLine(event)}\n`);
}

export function progressLine(event: ReportEvent): string {
  const seconds = event.elapsedMs === undefined ? '' : `${(event.elapsedMs / 1000).toFixed(1)} s`;
  const name = event.part.padEnd(18);
  return `  ${colours[event.state](name)} ${event.message} ${pc.dim(seconds)}`.trimEnd();
}
