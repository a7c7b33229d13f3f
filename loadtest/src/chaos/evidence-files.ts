import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Evidence } from './checker/verdict.ts';
import { readHistory } from './history.ts';

export const historyFileIn = (directory: string): string => join(directory, 'history.jsonl');
const evidenceFileIn = (directory: string) => join(directory, 'evidence.json');

type Saved = Omit<Evidence, 'history' | 'fastSales' | 'limits'> & {
  fastSales: string[];
  limits: [saleId: string, limit: number][];
};

/** Keeps all but the history, which is in a file of its own. */
export function saveEvidence(directory: string, evidence: Evidence): void {
  const { history: _, fastSales, limits, ...rest } = evidence;
  const saved: Saved = { ...rest, fastSales: [...fastSales], limits: [...limits] };
  writeFileSync(evidenceFileIn(directory), JSON.stringify(saved));
}

/** What a run that was kept has left, to be judged again. */
export function readEvidence(directory: string): Evidence {
  const saved = JSON.parse(readFileSync(evidenceFileIn(directory), 'utf8')) as Saved;
  return {
    ...saved,
    history: readHistory(historyFileIn(directory)),
    fastSales: new Set(saved.fastSales),
    limits: new Map(saved.limits),
  };
}
