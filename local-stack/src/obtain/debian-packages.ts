import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../system/run-command.ts';
import type { Environment } from '../system/report.ts';
import { StackError } from '../system/stack-error.ts';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const aptFix = 'Without Docker and without URLs the servers come from Debian packages; needs apt.';

/**
 * Downloads packages with everything they need and unpacks them into a folder. apt runs with lists,
 * cache and state of its own: the host's package database is read at most, never written, and no
 * root is needed. Signatures are checked as always.
 */
export async function unpackDebianPackages(options: {
  packages: readonly string[];
  /** A suite's code name; the host's own by default. */
  suite?: string;
  /** Leave out what the host has installed, or count on nothing of the host. */
  dependencies: 'missing-on-host' | 'all';
  skip?: (packageFile: string) => boolean;
  workFolder: string;
  targetFolder: string;
  env: Environment;
}): Promise<void> {
  const { workFolder, targetFolder } = options;
  for (const folder of [
    'etc/apt.conf.d',
    'etc/preferences.d',
    'lists/partial',
    'archives/partial',
  ]) {
    await mkdir(join(workFolder, folder), { recursive: true });
  }
  await mkdir(targetFolder, { recursive: true });
  await writeFile(join(workFolder, 'no-packages'), '');
  const suite = options.suite ?? (await hostSuite());
  const mirror = await hostMirror(options.env);
  const source = `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`;
  await writeFile(join(workFolder, 'etc/sources.list'), source);
  const status =
    options.dependencies === 'all' ? join(workFolder, 'no-packages') : '/var/lib/dpkg/status';
  const configFile = join(workFolder, 'apt.conf');
  const settings = await aptSettings({ workFolder, status, env: options.env });
  await writeFile(configFile, settings, { mode: 0o600 });

  const env = { ...options.env, APT_CONFIG: configFile, LC_ALL: 'C' };
  const apt = async (...args: string[]): Promise<string> =>
    runCommand('apt-get', ['-qq', ...args], { env, fix: aptFix });
  await apt('update');
  const install = ['-y', '--no-install-recommends', '--download-only', 'install'];
  await apt(...install, ...options.packages);

  const archives = join(workFolder, 'archives');
  for (const file of (await readdir(archives)).sort()) {
    if (file.endsWith('.deb') && options.skip?.(file) !== true) {
      await runCommand('dpkg-deb', ['-x', join(archives, file), targetFolder], {
        env,
        fix: aptFix,
      });
    }
  }
}

async function aptSettings(options: {
  workFolder: string;
  status: string;
  env: Environment;
}): Promise<string> {
  const { workFolder: folder } = options;
  // The host's own way to the mirror (proxy, retries, certificates) stays in force.
  const acquire = await runCommand('apt-config', ['dump', 'Acquire'], {
    env: options.env,
    fix: aptFix,
  });
  const own = {
    'Dir::Etc': `${folder}/etc`,
    'Dir::Etc::sourcelist': `${folder}/etc/sources.list`,
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::netrc': '/etc/apt/auth.conf',
    'Dir::Etc::netrcparts': '/etc/apt/auth.conf.d',
    'Dir::State': folder,
    'Dir::State::lists': `${folder}/lists`,
    'Dir::State::status': options.status,
    'Dir::Cache': folder,
    'Dir::Cache::archives': `${folder}/archives`,
    'APT::Sandbox::User': userInfo().username,
    'APT::Keep-Downloaded-Packages': 'true',
    'Acquire::Languages': 'none',
    // A suite that is still moving may be served with a Release file past its date.
    'Acquire::Check-Valid-Until': 'false',
    'Debug::NoLocking': 'true',
  };
  const lines = Object.entries(own).map(([name, value]) => `${name} "${value}";\n`);
  const isProxyLike = /^Acquire::(http|https|ftp|Retries|ForceIPv)/i;
  const inherited = acquire.split('\n').filter((line) => isProxyLike.test(line));
  return `${inherited.join('\n')}\n${lines.join('')}`;
}

/** The mirror this machine already uses, as apt itself tells it. */
async function hostMirror(env: Environment): Promise<string> {
  const args = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'];
  const targets = await runCommand('apt-get', args, { env, fix: aptFix });
  const mirror = targets.split('\n').find((uri) => /\/debian\/*$/.test(uri));
  if (mirror === undefined) {
    throw new StackError('apt on this machine knows no Debian mirror', {
      fix: 'Use Docker, or set MONGO_URL, REDIS_URL, REDIS_LEDGER_URL and KAFKA_BROKERS.',
    });
  }
  return mirror;
}

export async function hostSuite(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const suite = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1];
  if (!/^ID="?debian"?$/m.test(release) || suite === undefined) {
    throw new StackError('this is not a Debian system', {
      fix: 'Use Docker, or set MONGO_URL, REDIS_URL, REDIS_LEDGER_URL and KAFKA_BROKERS.',
    });
  }
  return suite;
}

/** Debian's name of this machine in library paths, and its program loader. */
export function debianMachine(): { triplet: string; loader: string } {
  switch (process.arch) {
    case 'x64':
      return { triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' };
    case 'arm64':
      return { triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' };
    default:
      throw new StackError(`no servers can be obtained for ${process.arch}`, {
        fix: 'Use Docker, or set the URLs of servers that run elsewhere.',
      });
  }
}
