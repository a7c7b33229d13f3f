import { parseArgs } from 'node:util';
import { StackError, type Environment } from '@quicksale/local-stack';
import {
  letterName,
  openDeadLetters,
  type DeadLetters,
  type OpenLetter,
} from '@quicksale/shared/bus';
import { topics, type Topic } from '@quicksale/shared/contracts';
import { createLogger } from '@quicksale/shared/log';

const usage = [
  'dlq list [<topic>] [--json]',
  'dlq show <topic>/<partition>/<offset> [--json]',
  'dlq replay <topic>/<partition>/<offset> | <topic> | --all [--yes] [--json]',
].join('\n  ');

export interface DlqCommand {
  args: readonly string[];
  env: Environment;
  /** Variables of the stack, as its env file has them. */
  stackEnv: Environment;
  write: (text: string) => void;
  /** Asks the person at the terminal; absent where there is none. */
  confirm?: ((question: string) => Promise<boolean>) | undefined;
}

/**
 * `dlq list|show|replay`: the messages that no consumer could take. Those that were replayed are not
 * listed again; one whose replay fails comes back as a letter of its own.
 */
export async function runDlq({ args, env, stackEnv, write, confirm }: DlqCommand): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
    },
  });
  const [action, target, ...more] = positionals;
  if (more.length > 0) throw misuse();
  const letters = connect(env, stackEnv);
  switch (action) {
    case 'list':
      return printList(await select(letters, target), values.json, write);
    case 'show': {
      const [letter] = target?.includes('/') ? await select(letters, target) : [];
      if (!letter) throw misuse();
      return write(values.json ? `${JSON.stringify(describe(letter))}\n` : formatLetter(letter));
    }
    case 'replay': {
      if ((target === undefined) !== values.all) throw misuse();
      const chosen = await select(letters, target);
      const question = `Send ${count(chosen)} to ${[...new Set(chosen.map((l) => l.topic))].join(', ')} again?`;
      if (chosen.length > 0 && !values.yes && !(await agreed(question, confirm))) return;
      await letters.replay(chosen);
      const replayed = chosen.map(letterName);
      write(values.json ? `${JSON.stringify({ replayed })}\n` : `  ${count(chosen)} sent again.\n`);
      return;
    }
    default:
      throw misuse();
  }
}

function connect(env: Environment, stackEnv: Environment): DeadLetters {
  const brokers = env.KAFKA_BROKERS || stackEnv.KAFKA_BROKERS;
  if (!brokers) {
    throw new StackError('There is no Kafka to ask', {
      fix: 'Run npm start once, or set KAFKA_BROKERS.',
    });
  }
  return openDeadLetters({
    brokers: brokers.split(',').filter(Boolean),
    namespace: env.NAMESPACE ?? stackEnv.NAMESPACE ?? '',
    log: createLogger({ service: 'dlq', level: 'silent' }),
  });
}

/** The open letters that a topic or a letter's name stands for; all without one. */
async function select(letters: DeadLetters, target: string | undefined): Promise<OpenLetter[]> {
  if (target === undefined) return letters.list();
  const topic = Object.values(topics).find((one) => one === target.split('/')[0]);
  if (!topic) throw new StackError(`${target}: one of ${Object.values(topics).join(', ')}`);
  const found = await letters.list([topic satisfies Topic]);
  if (topic === target) return found;
  const named = found.filter((letter) => letterName(letter) === target);
  if (named.length === 0) throw new StackError(`${target} is no open dead letter`);
  return named;
}

async function agreed(question: string, confirm: DlqCommand['confirm']): Promise<boolean> {
  if (confirm) return confirm(question);
  throw new StackError(question, { fix: 'Say so: --yes' });
}

function printList(
  letters: readonly OpenLetter[],
  isJson: boolean,
  write: DlqCommand['write'],
): void {
  if (isJson) {
    const rows = letters.map((letter) => {
      const { headers: _headers, body: _body, key: _key, ...row } = describe(letter);
      return row;
    });
    return write(`${JSON.stringify(rows)}\n`);
  }
  for (const letter of letters) {
    const { at, reason, tries, type = '?', eventId = '?', error } = letter;
    write(`  ${letterName(letter)}  ${at}  ${reason}, tries ${tries}  ${type}  ${eventId}\n`);
    write(`      ${(error.split('\n')[0] ?? '').slice(0, 160)}\n`);
  }
  write(letters.length === 0 ? '  No open dead letters.\n' : `  ${count(letters)}.\n`);
}

/** A letter as JSON; a body that is no text is given in base64. */
function describe(letter: OpenLetter) {
  const { topic, partition, offset, eventId, type, reason, error, tries, at, group } = letter;
  const headers = Object.entries(letter.headers).map(([name, value]) => [name, value.toString()]);
  return {
    name: letterName(letter),
    ...{ topic, partition, offset, eventId, type, reason, error, tries, at, group },
    origin: letter.origin,
    key: letter.key?.toString() ?? null,
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: letter.value && bodyOf(letter.value),
  };
}

function bodyOf(value: Buffer): { text: string } | { base64: string } {
  const text = value.toString('utf8');
  return Buffer.from(text, 'utf8').equals(value) ? { text } : { base64: value.toString('base64') };
}

function formatLetter(letter: OpenLetter): string {
  const { headers, body, error, ...rest } = describe(letter);
  const row = (name: string, value: unknown) =>
    `  ${name.padEnd(10)} ${typeof value === 'string' ? value : JSON.stringify(value)}\n`;
  return [
    ...Object.entries(rest).map(([name, value]) => row(name, value)),
    row('error', error),
    ...Object.entries(headers).map(([name, value]) => row('header', `${name}: ${value}`)),
    row('body', body === null ? 'none' : 'text' in body ? body.text : `base64 ${body.base64}`),
  ].join('');
}

const count = ({ length }: readonly OpenLetter[]) =>
  `${length} ${length === 1 ? 'message' : 'messages'}`;

const misuse = () => new StackError('What should be done?', { fix: usage });
