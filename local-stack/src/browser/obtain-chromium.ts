import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianMachine, hostSuite, unpackDebianPackages } from '../obtain/debian-packages.ts';
import { obtainOnce, serverCacheFolder } from '../obtain/server-cache.ts';
import { findProgram } from '../system/find-program.ts';
import type { Environment } from '../system/report.ts';
import { runCommand } from '../system/run-command.ts';
import { StackError } from '../system/stack-error.ts';

export interface BrowserProgram {
  readonly command: string;
  /** What the program needs to find its libraries and fonts; empty where it is installed. */
  readonly env: Readonly<Record<string, string>>;
  readonly source: string;
}

const names = ['chromium', 'chromium-browser', 'google-chrome'];
const fix = 'Install Chromium, or set CHROMIUM to the path of a Chromium or Chrome.';

// The host's C library has to go with the host's program loader. The rest is wanted by package rules
// or for real screens, not by a browser without one.
const unneeded =
  /^(libc6|libc-bin|perl|libperl|systemd|libpam|dpkg|passwd|adduser|tar_|procps|mount_|dbus|debconf|init-system|sysvinit|usrmerge|dmsetup|gcc-\d|libllvm|libz3|libgl1-mesa-dri|adwaita|xkb-data|xdg-utils|x11-)/;

/**
 * A Chromium for tests: `CHROMIUM`, else one on PATH, else Debian's packages with every library and a
 * font, unpacked beside the servers. The host needs to have none of them, and gets none installed.
 */
export async function obtainChromium(env: Environment): Promise<BrowserProgram> {
  if (env.CHROMIUM) {
    return { command: env.CHROMIUM, env: {}, source: `CHROMIUM: ${env.CHROMIUM}` };
  }
  for (const name of names) {
    const onPath = await findProgram(name, env);
    if (onPath !== undefined) {
      return { command: onPath, env: {}, source: `on PATH: ${onPath}` };
    }
  }
  try {
    return await obtainFromDebian(env);
  } catch (cause) {
    // The cause's own advice is about servers.
    const { message } = cause as Error;
    throw new StackError(`no browser could be obtained: ${message}`, { cause, fix });
  }
}

async function obtainFromDebian(env: Environment): Promise<BrowserProgram> {
  const suite = await hostSuite();
  const { folder } = await obtainOnce({
    cacheFolder: serverCacheFolder(env),
    name: `chromium-${suite}-1`,
    env,
    build: async (buildFolder, finalFolder) => {
      const workFolder = join(buildFolder, 'apt');
      const root = join(buildFolder, 'root');
      await unpackDebianPackages({
        packages: ['chromium', 'fonts-dejavu-core'],
        // Of the host nothing is counted on that might be removed from it later.
        dependencies: 'all',
        skip: (file) => unneeded.test(file),
        workFolder,
        targetFolder: root,
        env,
      });
      await rm(workFolder, { recursive: true });
      await keepBrowser(buildFolder, root);
      await writeFile(join(buildFolder, 'fonts.conf'), fontSettings(finalFolder));
      const program = describeProgram(buildFolder, suite);
      await runCommand(program.command, ['--version'], { env: program.env });
    },
  });
  return describeProgram(folder, suite);
}

function describeProgram(folder: string, suite: string): BrowserProgram {
  const { triplet } = debianMachine();
  const library = join(folder, 'lib', triplet);
  const libraries = [library, join(folder, 'base', triplet)];
  // Both are loaded by name from folders of their own.
  libraries.push(join(library, 'nss'), join(library, 'pulseaudio'));
  return {
    command: join(folder, 'lib/chromium/chromium'),
    env: { LD_LIBRARY_PATH: libraries.join(':'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
    source: `Debian packages (${suite})`,
  };
}

/** Of a whole system tree, the program, its libraries and the fonts. */
async function keepBrowser(folder: string, root: string): Promise<void> {
  await rename(join(root, 'usr/lib'), join(folder, 'lib'));
  // Where some packages of an older form still put theirs; not every suite has such.
  await rename(join(root, 'lib'), join(folder, 'base')).catch(() => undefined);
  await rename(join(root, 'usr/share/fonts'), join(folder, 'fonts'));
  await rm(root, { recursive: true });
  // For developers of drawing programs: 22 MB.
  const validation = join(folder, 'lib/chromium/libVkLayer_khronos_validation.so');
  await rm(validation, { force: true });
}

/** The packages' own settings name folders of the host. */
function fontSettings(folder: string): string {
  const alias = (family: string, font: string): string =>
    `  <alias><family>${family}</family><prefer><family>${font}</family></prefer></alias>\n`;
  return [
    '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n<fontconfig>\n',
    `  <dir>${join(folder, 'fonts')}</dir>\n`,
    `  <cachedir>${join(folder, 'font-cache')}</cachedir>\n`,
    alias('sans-serif', 'DejaVu Sans'),
    alias('serif', 'DejaVu Serif'),
    alias('monospace', 'DejaVu Sans Mono'),
    '</fontconfig>\n',
  ].join('');
}
