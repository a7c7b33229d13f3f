'use strict';
// Entry of every npm script: `node tools/run.cjs <command> [arguments]`. Plain JavaScript that an
// old Node can run: it installs the packages when they are missing or older than the lockfile,
// then hands over to a Node that runs TypeScript.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawn, spawnSync } = require('child_process');

const root = path.join(__dirname, '..');
const neededNode = 24;
const service = (name) => ({ file: `${name}/src/main.ts`, withStackEnv: true });

const commands = {
  start: { file: 'local-stack/src/start.ts' },
  test: { file: 'tools/test.ts' },
  check: { file: 'tools/check.ts' },
  format: { file: 'node_modules/prettier/bin/prettier.cjs', args: ['--write', '.'] },
  quicksale: { file: 'cli/src/main.ts' },
  reset: { file: 'cli/src/main.ts', args: ['reset'] },
  bench: { file: 'loadtest/src/bench/main.ts' },
  simulate: { file: 'loadtest/src/simulation/main.ts' },
  chaos: { file: 'loadtest/src/chaos/main.ts' },
  doctor: { file: 'cli/src/main.ts', args: ['doctor'] },
  dlq: { file: 'cli/src/main.ts', args: ['dlq'] },
  tokens: { file: 'cli/src/main.ts', args: ['tokens'] },
  gateway: service('gateway'),
  'auth-service': service('auth-service'),
  'inventory-service': service('inventory-service'),
  'order-service': service('order-service'),
  'kafka-processor': service('kafka-processor'),
  'notifier-service': service('notifier-service'),
};

async function main() {
  const [name, ...args] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name || '') ? commands[name] : undefined;
  if (command === undefined) {
    fail(`Usage: node tools/run.cjs <command>\nCommands: ${Object.keys(commands).join(', ')}`, 2);
  }
  await installPackages();
  const env = { ...process.env };
  const binaries = path.join(root, 'node_modules', '.bin');
  const pathName = Object.keys(env).find((key) => key.toUpperCase() === 'PATH') || 'PATH';
  env[pathName] = [binaries, env[pathName]].filter(Boolean).join(path.delimiter);
  if (command.withStackEnv) {
    fillIn(env, readEnvFile(path.join(root, '.quicksale', 'env')));
  }
  // kafkajs sets negative timers, which Node 24 warns of; type stripping needs no reminder.
  const nodeArgs = ['TimeoutNegativeWarning', 'ExperimentalWarning'].map(
    (warning) => `--disable-warning=${warning}`,
  );
  const file = path.join(root, command.file);
  handOver(findNode(), [...nodeArgs, file, ...(command.args || []), ...args], env);
}

function arePackagesCurrent() {
  try {
    const installed = fs.statSync(path.join(root, 'node_modules', '.package-lock.json'));
    return installed.mtimeMs >= fs.statSync(path.join(root, 'package-lock.json')).mtimeMs;
  } catch {
    return false;
  }
}

async function installPackages() {
  const folder = path.join(root, '.quicksale');
  const lock = path.join(folder, 'install.lock');
  // npm writes node_modules/.package-lock.json last, so a second launcher sees an installation
  // that is under way as missing and waits here for its end.
  while (!arePackagesCurrent()) {
    fs.mkdirSync(folder, { recursive: true });
    if (takeLock(lock)) {
      try {
        if (!arePackagesCurrent()) {
          await runNpmCi();
        }
      } finally {
        fs.rmSync(lock, { force: true });
      }
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

function takeLock(lock) {
  try {
    fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') {
      throw error;
    }
  }
  try {
    process.kill(Number(fs.readFileSync(lock, 'utf8')) || process.pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') {
      fs.rmSync(lock, { force: true });
    }
  }
  return false;
}

async function runNpmCi() {
  const startedAt = Date.now();
  const line = () => `  packages           npm ci ${Math.round((Date.now() - startedAt) / 1000)} s`;
  const isTerminal = process.stderr.isTTY === true;
  const show = () => process.stderr.write(`\r${line()}`);
  const timer = isTerminal ? setInterval(show, 1000) : undefined;
  const npmFile = process.env.npm_execpath;
  const isFile = npmFile !== undefined && npmFile.endsWith('.js');
  const args = ['ci', '--ignore-scripts', '--loglevel=error', '--no-progress'];
  // Windows starts npm.cmd through a shell only.
  const child = isFile
    ? spawn(process.execPath, [npmFile, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    : spawn('npm', args, {
        cwd: root,
        shell: process.platform === 'win32',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  child.stderr.on('data', (text) => (output += text));
  const code = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', resolve);
  });
  clearInterval(timer);
  process.stderr.write(`${isTerminal ? '\r' : ''}${line()}\n`);
  if (code !== 0) {
    fail(
      `npm ci failed (${code}); run it by itself to see why: npm ci --ignore-scripts\n${output}`,
    );
  }
  // npm leaves the file's time alone when nothing had to change.
  const now = new Date();
  fs.utimesSync(path.join(root, 'node_modules', '.package-lock.json'), now, now);
}

function findNode() {
  if (isNewEnough(process.version)) {
    return process.execPath;
  }
  const ending = process.platform === 'win32' ? '.exe' : '';
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const packageName = `node-${system}-${process.arch}`;
  const packaged = path.join(root, 'node_modules', packageName, 'bin', `node${ending}`);
  if (fs.existsSync(packaged)) {
    return packaged;
  }
  const onPath = spawnSync('node', ['--version'], { encoding: 'utf8' });
  if (onPath.status === 0 && isNewEnough(onPath.stdout)) {
    return 'node';
  }
  return fail(
    `QuickSale needs Node ${neededNode} or newer; this is ${process.version}, and no package ` +
      `brings one for ${process.platform}-${process.arch}.\n` +
      `Install Node ${neededNode} and put it on PATH, then run the same command again.`,
  );
}

function isNewEnough(version) {
  return Number(version.replace('v', '').split('.')[0]) >= neededNode;
}

function readEnvFile(file) {
  try {
    return fs
      .readFileSync(file, 'utf8')
      .split(/\r?\n/)
      .map((line) => /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map((match) => [match[1], match[2]]);
  } catch {
    return [];
  }
}

function fillIn(env, entries) {
  for (const [name, value] of entries) {
    if (env[name] === undefined) {
      env[name] = value;
    }
  }
}

function handOver(node, args, env) {
  const child = spawn(node, args, { env, stdio: 'inherit' });
  // A terminal sends Ctrl-C to both processes; this one only waits for the other's end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal));
  }
  child.once('error', (error) => fail(`${node} could not be started: ${error.message}`));
  child.once('close', (code, signal) => {
    process.exit(code === null ? 128 + os.constants.signals[signal] : code);
  });
}

function fail(message, code = 1) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

main().catch((error) => fail(error.stack || String(error)));
