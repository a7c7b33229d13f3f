import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Environment, StackError } from '@quicksale/local-stack';

/** Somebody else may be at it; and a ledger that is being checked is not for long. */
const patienceMs = 120_000;
const pauseMs = 500;

interface Rebuilt {
  epoch: number;
  orders: number;
  records: number;
  elapsedMs: number;
}

/**
 * `rebuild <saleId> [--json]`: has inventory-service fence a sale, write its ledger anew from the
 * orders, and open it again. Nothing is lost by it but the sale's carts; it stands still meanwhile.
 */
export async function rebuildSale(options: {
  args: readonly string[];
  /** Variables of the stack, as its env file has them, below those of the process. */
  env: Environment;
  write: (text: string) => void;
}): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...options.args],
    allowPositionals: true,
    options: { json: { type: 'boolean' } },
  });
  const [saleId = '', ...more] = positionals;
  if (!/^[0-9a-f]{24}$/.test(saleId) || more.length > 0)
    throw new StackError('rebuild <saleId>: one id of 24 hexadecimal digits is needed');
  const rebuilt = await untilRebuilt(options.env, saleId);
  options.write(
    values.json === true
      ? `${JSON.stringify({ saleId, ...rebuilt })}\n`
      : `  Sale ${saleId} is open again: ${rebuilt.orders} orders, ${rebuilt.records} of them with ` +
          `units, epoch ${rebuilt.epoch}, ${rebuilt.elapsedMs} ms.\n`,
  );
}

async function untilRebuilt(env: Environment, saleId: string): Promise<Rebuilt> {
  const { INVENTORY_SERVICE_ADMIN_URL: url, INTERNAL_KEY: key } = env;
  if (!url || !key)
    throw new StackError('It is not known where inventory-service is', {
      fix: 'Run npm start once, or set INVENTORY_SERVICE_ADMIN_URL and INTERNAL_KEY.',
    });
  const limit = Date.now() + patienceMs;
  for (;;) {
    const answer = await fetch(new URL(`/internal/sales/${saleId}/rebuild`, url), {
      method: 'POST',
      headers: { 'x-internal-key': key },
    }).catch((cause: unknown) => {
      throw new StackError(`inventory-service does not answer at ${url}`, { cause });
    });
    const body: unknown = await answer.json();
    if (answer.ok) return body as Rebuilt;
    if (answer.status !== 503 || Date.now() > limit)
      throw new StackError(`inventory-service answered ${answer.status}: ${JSON.stringify(body)}`);
    await sleep(pauseMs);
  }
}
