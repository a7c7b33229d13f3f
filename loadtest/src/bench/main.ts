// npm run bench -- NAME [options]: measures a running `npm start`, and says under which conditions.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureExpiry } from './expiry.ts';
import { measureOrderLatency } from './order-latency.ts';
import { measureRebuild } from './rebuild.ts';
import { measureRecovery } from './recovery.ts';
import { connectStack } from './running-stack.ts';
import { stackMemory } from './stack-memory.ts';

const dataDirectory = join(import.meta.dirname, '../../../.quicksale');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    orders: { type: 'string', default: '1000' },
    spread: { type: 'string', default: '1000' },
    records: { type: 'string', default: '100000' },
    kills: { type: 'string', default: '5' },
    together: { type: 'string', default: '10000' },
  },
});

switch (positionals[0]) {
  case 'order-latency': {
    const stack = await connectStack(dataDirectory);
    await measureOrderLatency(stack, Number(values.orders), say);
    await stack.close();
    break;
  }
  case 'expiry': {
    const stack = await connectStack(dataDirectory);
    const counts = { spread: Number(values.spread), together: Number(values.together) };
    await measureExpiry(stack, { ...counts, spreadMs: 10_000 }, say);
    await stack.close();
    break;
  }
  case 'rebuild': {
    const stack = await connectStack(dataDirectory);
    await measureRebuild(stack, Number(values.records), say);
    await stack.close();
    break;
  }
  case 'recovery': {
    const stack = await connectStack(dataDirectory);
    const runFolder = join(dataDirectory, 'run');
    await measureRecovery(stack, { kills: Number(values.kills), runFolder }, say);
    await stack.close();
    break;
  }
  case 'memory':
    stackMemory(join(dataDirectory, 'run'), say);
    break;
  default:
    process.stderr.write(
      'Usage: npm run bench -- order-latency [--orders N] | expiry [--spread N] [--together N] | rebuild [--records N] | recovery [--kills N] | memory\n',
    );
    process.exitCode = 2;
}
