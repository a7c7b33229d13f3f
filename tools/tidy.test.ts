// Rules of the project that no linter knows.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { errorRegistry } from '@quicksale/shared/errors';
import { envExample } from './env-example.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root })
  .toString()
  .split('\n')
  .filter(Boolean);
const typescript = files.filter((file) => file.endsWith('.ts'));
const scripts = files.filter((file) => file.endsWith('.lua') && file.startsWith('shared/'));

describe('file names', () => {
  it('are kebab-case', () => {
    const odd = typescript.filter(
      (file) => !/^[a-z0-9]+([.-][a-z0-9]+)*\.ts$/.test(basename(file)),
    );
    expect(odd).toEqual([]);
  });

  it('say what is in the file', () => {
    const vague = /(^|[.-])(utils?|helpers?|common|managers?|handlers?|data|info)([.-]|$)/;
    expect(typescript.filter((file) => vague.test(basename(file)))).toEqual([]);
  });
});

describe.each(scripts)('%s', (file) => {
  const source = read(file);
  const header = /--\[\[([\s\S]*?)\]\]/.exec(source)?.[1] ?? '';
  const body = source.slice(source.indexOf(']]') + 2);
  const declared = (kind: string) => [
    ...header.matchAll(new RegExp(`^${kind}\\[(\\d*)(\\.\\.)?\\]`, 'gm')),
  ];

  it('says what it returns', () => {
    expect(header).toMatch(/^RETURNS /m);
  });

  it('declares every key and argument that it names, and uses what it declares', () => {
    for (const kind of ['KEYS', 'ARGV']) {
      const used = new Set(
        [...body.matchAll(new RegExp(`${kind}\\[(\\d+)\\]`, 'g'))].map(([, n]) => Number(n)),
      );
      const rows = declared(kind);
      const fixed = rows.filter(([, , range]) => !range).map(([, n]) => Number(n));
      const hasRange = rows.some(([, , range]) => range);
      expect([...used].filter((n) => !fixed.includes(n) && !hasRange)).toEqual([]);
      expect(fixed.filter((n) => !used.has(n))).toEqual([]);
    }
  });

  it('builds no key of its own', () => {
    expect(body).not.toMatch(/KEYS\[[^\]]+\]\s*\.\./);
    expect(body).not.toMatch(/\.\.\s*KEYS\[/);
  });
});

describe('the error registry', () => {
  it('is what docs/errors.md says, both ways', () => {
    const rows = [
      ...read('docs/errors.md').matchAll(/^\| `([a-z-]+)` \| (\d{3}) \| ([^|]+) \| ([^|]+) \|/gm),
    ];
    const documented = rows.map(([, code, status, title, advice]) => [
      ...[code, Number(status), title?.trim(), advice?.trim()],
    ]);
    const registered = Object.entries(errorRegistry).map(([code, { status, title, advice }]) => [
      ...[code, status, title, advice],
    ]);
    expect(documented).toEqual(registered);
  });

  it('has no code that no test speaks of', () => {
    const tests = files
      .filter((file) => file.endsWith('.test.ts'))
      .map(read)
      .join('\n');
    const unspoken = Object.keys(errorRegistry).filter(
      (code) => !new RegExp(`(?<![\\w-])${code}(?![\\w-])`).test(tests),
    );
    expect(unspoken).toEqual([]);
  });
});

describe('the documents', () => {
  it('name only tests that are there', () => {
    const named = files
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        [...read(file).matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, path]) => path),
      );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => path && !files.includes(path))).toEqual([]);
  });
});

describe('the configuration', () => {
  it('is what .env.example says (node tools/env-example.ts > .env.example)', () => {
    expect(read('.env.example')).toBe(envExample());
  });
});

describe('the lockfile', () => {
  interface Entry {
    resolved?: string;
    optionalDependencies?: Record<string, string>;
  }
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Entry> };

  it('names the packages of every platform (node tools/complete-lockfile.cjs)', () => {
    const missing = Object.entries(packages).flatMap(([folder, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !packages[`${folder}/node_modules/${name}`] && !packages[`node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
  });

  it('names no place that packages come from', () => {
    const places = Object.values(packages).filter(({ resolved }) => resolved?.includes('://'));
    expect(places).toEqual([]);
  });
});

describe('dependencies', () => {
  it('are pinned exactly', () => {
    const loose = files
      .filter((file) => basename(file) === 'package.json')
      .flatMap((file) => {
        const manifest = JSON.parse(read(file)) as Record<string, Record<string, string>>;
        return ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
          Object.entries(manifest[kind] ?? {}).filter(([, version]) => !/^\d/.test(version)),
        );
      });
    expect(loose).toEqual([]);
  });
});
