import { readFile, rename, writeFile } from 'node:fs/promises';

export type EnvEntries = Readonly<Record<string, string>>;

const heading =
  '# Written by the launcher at every start; services started by hand read it. Holds secrets.\n';

export function formatEnvFile(entries: EnvEntries): string {
  const lines = Object.entries(entries).map(([name, value]) => {
    if (/[\r\n]/.test(value)) {
      throw new Error(`${name} has more than one line`);
    }
    return `${name}=${value}\n`;
  });
  return heading + lines.join('');
}

export function parseEnvFile(text: string): Record<string, string> {
  const entries: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
    if (match?.[1] !== undefined) {
      entries[match[1]] = match[2] ?? '';
    }
  }
  return entries;
}

export async function readEnvFile(path: string): Promise<Record<string, string>> {
  return parseEnvFile(await readFile(path, 'utf8').catch(() => ''));
}

export async function writeEnvFile(path: string, entries: EnvEntries): Promise<void> {
  const aside = `${path}.${process.pid}`;
  await writeFile(aside, formatEnvFile(entries), { mode: 0o600 });
  await rename(aside, path);
}
