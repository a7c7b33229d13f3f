import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { System } from './system.ts';

/** Exit code and output of `audit <saleId> --json`, which finds the system by its environment. */
export async function runAuditCommand(system: System, saleId: string) {
  const main = join(import.meta.dirname, '../cli/src/main.ts');
  const env = { ...process.env, ...system.env, NODE_OPTIONS: '' };
  const ended = Promise.withResolvers<{ code: unknown; text: string }>();
  execFile(process.execPath, [main, 'audit', saleId, '--json'], { env }, (error, text) =>
    ended.resolve({ code: error ? error.code : 0, text }),
  );
  const { code, text } = await ended.promise;
  return { code, books: JSON.parse(text) as Record<string, unknown> };
}
