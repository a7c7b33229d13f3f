import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Prints the resident memory of every part of a running stack and their sum (Linux only). */
export function stackMemory(runFolder: string, say: (line: string) => void): void {
  let total = 0;
  for (const file of readdirSync(runFolder).filter((name) => name.endsWith('.pid'))) {
    const { pid } = JSON.parse(readFileSync(join(runFolder, file), 'utf8')) as { pid: number };
    const family = [pid, ...descendants(pid)];
    const mib = family.reduce((sum, one) => sum + proportionalMib(one), 0);
    total += mib;
    say(`${file.replace('.pid', '').padEnd(20)} ${mib.toFixed(0).padStart(6)} MiB`);
  }
  say(`${'all'.padEnd(20)} ${total.toFixed(0).padStart(6)} MiB (proportional set size)`);
}

function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === ''
    ? []
    : children
        .split(' ')
        .map(Number)
        .flatMap((child) => [child, ...descendants(child)]);
}

/** Shared pages counted once over all processes that share them: PostgreSQL's many share most. */
function proportionalMib(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024;
}
