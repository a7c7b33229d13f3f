'use strict';
// After `npm install` against a registry that lacks packages of other platforms: names them in the
// lockfile all the same, as optional, so that `npm ci` works everywhere. A test tells when this is
// needed. Platform and processor are read from the package's name.

const fs = require('fs');
const path = require('path');

const file = path.join(__dirname, '..', 'package-lock.json');
const lock = JSON.parse(fs.readFileSync(file, 'utf8'));
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'sunos', 'win32'];
const processors = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];

for (const [name, { version, dev }] of missingOptionalPackages(lock.packages)) {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => systems.includes(word));
  const cpu = words.filter((word) => processors.includes(word));
  lock.packages[`node_modules/${name}`] = {
    version,
    ...(cpu.length > 0 && { cpu }),
    ...(dev && { dev }),
    ...(words.includes('musl') && { libc: ['musl'] }),
    ...(words.includes('gnu') && os.includes('linux') && { libc: ['glibc'] }),
    optional: true,
    ...(os.length > 0 && { os }),
  };
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)),
);
fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);

function missingOptionalPackages(packages) {
  const missing = new Map();
  for (const [folder, entry] of Object.entries(packages))
    for (const [name, version] of Object.entries(entry.optionalDependencies || {}))
      if (!packages[`${folder}/node_modules/${name}`] && !packages[`node_modules/${name}`])
        missing.set(name, { version, dev: entry.dev });
  return missing;
}
