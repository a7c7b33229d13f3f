import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { BrokenVariant, Patch } from './variants.ts';

const repository = resolve(import.meta.dirname, '../../..');
const packagesFolder = 'node_modules';
const leftOut = new Set([packagesFolder, '.git', '.quicksale', 'coverage']);

/**
 * Copies the sources of this checkout to a folder, breaks them there, and resolves to the folder:
 * whatever is run from it is the variant. Packages are links to those of this checkout, but for its
 * own workspaces, which lead into the copy. Throws when a patch does not fit the sources any more.
 */
export async function makeBrokenCopy(variant: BrokenVariant, folder: string): Promise<string> {
  const patched = await applyPatches(variant.patches);
  await cp(repository, folder, {
    recursive: true,
    filter: (source) => source === repository || !leftOut.has(basename(source)),
  });
  await linkPackages(join(repository, packagesFolder), join(folder, packagesFolder));
  for (const entry of await readdir(repository, { withFileTypes: true })) {
    if (!entry.isDirectory() || leftOut.has(entry.name)) continue;
    const own = join(repository, entry.name, packagesFolder);
    if (await isFolder(own)) await symlink(own, join(folder, entry.name, packagesFolder));
  }
  for (const [file, source] of patched) await writeFile(join(folder, file), source);
  return folder;
}

/** Patched sources by file. Throws unless each `find` occurs exactly once when its turn comes. */
export async function applyPatches(patches: readonly Patch[]): Promise<Map<string, string>> {
  const sources = new Map<string, string>();
  for (const { file, find, replace } of patches) {
    const source = sources.get(file) ?? (await readFile(join(repository, file), 'utf8'));
    const occurrences = source.split(find).length - 1;
    if (occurrences !== 1)
      throw new Error(`${file} has this ${occurrences} times instead of once: ${find}`);
    // As a function: a replacement is text, whatever dollar signs are in it.
    sources.set(
      file,
      source.replace(find, () => replace),
    );
  }
  return sources;
}

/** One link per package, but for the workspaces: links of the repository into itself stay relative. */
async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const name of await readdir(from)) {
    if (name !== '@quicksale') {
      await symlink(join(from, name), join(to, name));
      continue;
    }
    await mkdir(join(to, name));
    for (const workspace of await readdir(join(from, name))) {
      const link = join(to, name, workspace);
      const target = join(dirname(to), workspace);
      await symlink(relative(dirname(link), target), link);
    }
  }
}

const isFolder = (path: string): Promise<boolean> =>
  readdir(path).then(
    () => true,
    () => false,
  );
