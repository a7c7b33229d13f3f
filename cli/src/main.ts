import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import {
  describeError,
  examineMachine,
  formatFindings,
  readEnvFile,
  resetStack,
} from '@quicksale/local-stack';
import { printAudit } from './audit.ts';
import { runDlq } from './dlq.ts';
import { rebuildSale } from './rebuild.ts';
import { printTokens } from './tokens.ts';

const dataDirectory = join(import.meta.dirname, '../../.quicksale');
const { env } = process;
const write = (text: string): void => void process.stdout.write(text);

/** Each command returns the exit code. */
const commands: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  audit: async (args) => {
    const stackEnv = await readEnvFile(join(dataDirectory, 'env'));
    return printAudit({ args, env, stackEnv, output: process.stdout });
  },
  doctor: async (args) => {
    const { values } = parseArgs({ args, options: { json: { type: 'boolean' } } });
    const findings = await examineMachine({ dataDirectory, env });
    write(values.json === true ? `${JSON.stringify(findings)}\n` : formatFindings(findings));
    return findings.some(({ status }) => status === 'missing') ? 1 : 0;
  },
  reset: async (args) => {
    const options = { yes: { type: 'boolean' }, json: { type: 'boolean' } } as const;
    const { values } = parseArgs({ args, options });
    const isConfirmed = values.yes === true;
    const removed = await resetStack({ dataDirectory, env, isConfirmed });
    write(values.json === true ? `${JSON.stringify({ removed })}\n` : '  All data is gone.\n');
    return 0;
  },
  rebuild: async (args) => {
    const stackEnv = await readEnvFile(join(dataDirectory, 'env'));
    await rebuildSale({ args, env: { ...stackEnv, ...env }, write });
    return 0;
  },
  tokens: async (args) => {
    const stackEnv = await readEnvFile(join(dataDirectory, 'env'));
    await printTokens({ args, env, stackEnv, write });
    return 0;
  },
  dlq: async (args) => {
    const stackEnv = await readEnvFile(join(dataDirectory, 'env'));
    const confirm = process.stdin.isTTY ? askOnTerminal : undefined;
    await runDlq({ args, env, stackEnv, write, confirm });
    return 0;
  },
};

async function askOnTerminal(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

const [name = '', ...rest] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined) {
  process.stderr.write(`Usage: npm run quicksale -- ${Object.keys(commands).join(' | ')}\n`);
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await command(rest);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = 1;
  }
}
