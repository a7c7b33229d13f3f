// npm run bench -- NAME [options]: measures a running `npm start`, and says under which conditions.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureOrderLatency } from './order-latency.ts';
import { connectStack } from './running-stack.ts';
import { stackMemory } from './stack-memory.ts';

const dataDirectory = join(import.meta.dirname, '../../../.quicksale');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { orders: { type: 'string', default: '1000' } },
});

switch (positionals[0]) {
  case 'order-latency': {
    const stack = await connectStack(dataDirectory);
    await measureOrderLatency(stack, Number(values.orders), say);
    await stack.close();
    break;
  }
  case 'memory':
    stackMemory(join(dataDirectory, 'run'), say);
    break;
  default:
    process.stderr.write('Usage: npm run bench -- order-latency [--orders N] | memory\n');
    process.exitCode = 2;
}
