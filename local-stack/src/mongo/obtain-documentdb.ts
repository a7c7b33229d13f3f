import { copyFile, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { debianMachine, unpackDebianPackages } from '../obtain/debian-packages.ts';
import { obtainOnce } from '../obtain/server-cache.ts';
import { runCommand } from '../system/run-command.ts';
import type { Environment } from '../system/report.ts';

// The first suite that carries DocumentDB. It still moves, so its packages are kept once unpacked.
const suite = 'forky';
const postgresVersion = '18';

// Wanted by package rules, not by the server: the database runs without them.
const unneeded =
  /^(perl|libperl|systemd_|gnupg|gpg|dirmngr|locales|libc-l10n|gdal-data|fonts-|mariadb-common|pinentry|adduser|passwd_|login|debconf|postgresql-common_|postgresql-client-common|ssl-cert|tzdata)/;
const programs = ['postgres', 'initdb', 'psql', 'pg_controldata', 'pg_dump'];

export interface PostgresProgram {
  readonly binFolder: string;
}

/**
 * PostgreSQL with the DocumentDB extension, from a newer Debian than the host may be. The programs
 * are pointed at the C library that came with them, so nothing of the host's is used or changed.
 */
export async function obtainDocumentDb(options: {
  cacheFolder: string;
  env: Environment;
  waiting: () => void;
}): Promise<PostgresProgram> {
  const { folder } = await obtainOnce({
    ...options,
    name: `postgresql-${postgresVersion}-documentdb-${suite}-1`,
    build: async (buildFolder, finalFolder) => {
      const workFolder = join(buildFolder, 'apt');
      const root = join(buildFolder, 'root');
      await unpackDebianPackages({
        packages: [`postgresql-${postgresVersion}-documentdb`, 'patchelf'],
        suite,
        dependencies: 'all',
        skip: (file) => unneeded.test(file),
        workFolder,
        targetFolder: root,
        env: options.env,
      });
      await rm(workFolder, { recursive: true });
      const patchelf = join(buildFolder, 'patchelf');
      await copyFile(join(root, 'usr/bin/patchelf'), patchelf);
      await slim(root);
      await pointAtOwnLibraries({
        root,
        finalRoot: join(finalFolder, 'root'),
        patchelf,
        env: options.env,
      });
      // Debian makes this link at installation time.
      await symlink('postgis-3.control', join(shareFolder(root), 'extension/postgis.control'));
    },
  });
  return { binFolder: join(serverFolder(join(folder, 'root')), 'bin') };
}

function serverFolder(root: string): string {
  return join(root, 'usr/lib/postgresql', postgresVersion);
}

function shareFolder(root: string): string {
  return join(root, 'usr/share/postgresql', postgresVersion);
}

async function slim(root: string): Promise<void> {
  const removed = ['etc', 'var', 'run', 'opt', 'srv', 'usr/sbin', 'usr/games', 'usr/libexec'];
  removed.push('usr/include', 'usr/bin', join('usr/share/postgresql', postgresVersion, 'man'));
  removed.push(join('usr/lib/postgresql', postgresVersion, 'lib/bitcode'));
  for (const folder of removed) {
    await rm(join(root, folder), { recursive: true, force: true });
  }
  const share = join(root, 'usr/share');
  for (const entry of await readdir(share)) {
    if (entry !== 'postgresql' && entry !== 'proj') {
      await rm(join(share, entry), { recursive: true, force: true });
    }
  }
}

async function pointAtOwnLibraries(options: {
  root: string;
  finalRoot: string;
  patchelf: string;
  env: Environment;
}): Promise<void> {
  const { root, finalRoot } = options;
  const { triplet, loader } = debianMachine();
  const library = join(root, 'usr/lib', triplet);
  const patch = async (...args: string[]): Promise<string> =>
    runCommand(join(library, loader), ['--library-path', library, options.patchelf, ...args], {
      env: options.env,
    });
  const modules = join(serverFolder(root), 'lib');
  for (const file of await readdir(modules)) {
    if (file.startsWith('pg_documentdb') && file.endsWith('.so')) {
      // A RUNPATH of its own would hide the search path of the program that loads it.
      await patch('--remove-rpath', join(modules, file));
    }
  }
  const finalLibrary = join(finalRoot, 'usr/lib', triplet);
  const searchPath = [
    finalLibrary,
    ...['blas', 'lapack', 'systemd'].map((name) => join(finalLibrary, name)),
    join(serverFolder(finalRoot), 'lib'),
  ].join(':');
  for (const program of programs) {
    const file = join(serverFolder(root), 'bin', program);
    const loaderPath = join(finalLibrary, loader);
    await patch('--set-interpreter', loaderPath, '--force-rpath', '--set-rpath', searchPath, file);
  }
}
