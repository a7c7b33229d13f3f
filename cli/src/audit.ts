import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { createTokenSigner, type Environment, StackError } from '@quicksale/local-stack';

/** What the table shows of the books of a sale; the units themselves are in the JSON and CSV. */
export interface Books {
  readonly saleId: string;
  readonly products: readonly {
    readonly productId: string;
    readonly lastUnit: number;
    readonly available: number | null;
    readonly held: number | null;
    readonly committed: number | null;
    readonly gone: number | null;
  }[];
  readonly movements: readonly unknown[];
  readonly units: readonly { readonly place: string }[];
  readonly refusals: readonly { readonly reason: string; readonly count: number }[];
  readonly drifts: readonly {
    readonly drift: string;
    readonly productId: string | null;
    readonly unit: number | null;
    readonly orderId: string | null;
  }[];
  readonly verdict: string;
  readonly reason: string;
}

/**
 * `audit <saleId> [--json | --csv]`: the books of a sale, read through the gateway. Resolves to the
 * exit code: 1 when the verdict is not ok.
 */
export async function printAudit(options: {
  args: readonly string[];
  env: Environment;
  /** Variables of the stack, as its env file has them. */
  stackEnv: Environment;
  output: NodeJS.WritableStream;
  fetch?: typeof fetch;
}): Promise<number> {
  const { env, stackEnv, output } = options;
  const { saleId, format } = parseAuditRequest(options.args);
  const gatewayUrl = env.GATEWAY_URL || stackEnv.GATEWAY_URL;
  if (!gatewayUrl)
    throw new StackError('It is not known where the gateway is', {
      fix: 'Run npm start, or set GATEWAY_URL.',
    });
  const accept = format === 'csv' ? 'text/csv' : 'application/json';
  const answer = await (options.fetch ?? fetch)(`${gatewayUrl}/api/sales/${saleId}/audit`, {
    headers: { accept, authorization: `Bearer ${await adminToken(env, stackEnv)}` },
  }).catch((cause: unknown) => {
    throw new StackError(`The gateway does not answer at ${gatewayUrl}`, { cause });
  });
  if (!answer.ok || !answer.body)
    throw new StackError(`The gateway answered ${answer.status}: ${await answer.text()}`);
  try {
    return await print(answer.body, format, output);
  } catch (cause) {
    throw new StackError('The books broke off: what was printed is not all', { cause });
  }
}

/** Resolves to the exit code. */
async function print(
  body: ReadableStream<Uint8Array>,
  format: 'table' | 'json' | 'csv',
  output: NodeJS.WritableStream,
): Promise<number> {
  if (format === 'table') {
    const books = (await new Response(body).json()) as Books;
    output.write(formatBooks(books));
    return books.verdict === 'ok' ? 0 : 1;
  }
  // The books of a large sale are passed on as they come; their verdict is at the end.
  let tail = '';
  await pipeline(
    Readable.fromWeb(body),
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        tail = (tail + Buffer.from(chunk).toString()).slice(-1_000);
        yield chunk;
      }
    },
    output,
    { end: false },
  );
  return isOk(tail, format) ? 0 : 1;
}

const isOk = (tail: string, format: 'json' | 'csv') =>
  format === 'json'
    ? /"verdict":"ok","reason":""}\s*$/.test(tail)
    : /\nverdict,.*,ok\s*$/.test(tail);

export function parseAuditRequest(args: readonly string[]): {
  saleId: string;
  format: 'table' | 'json' | 'csv';
} {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: 'boolean' }, csv: { type: 'boolean' } },
  });
  const [saleId = '', ...more] = positionals;
  if (!/^[0-9a-f]{24}$/.test(saleId) || more.length > 0)
    throw new StackError('audit <saleId>: one id of 24 hexadecimal digits is needed');
  if (values.json && values.csv) throw new StackError('--json or --csv, not both');
  return { saleId, format: values.json ? 'json' : values.csv ? 'csv' : 'table' };
}

/** A token of somebody who may read every sale, signed with the development key. */
async function adminToken(env: Environment, stackEnv: Environment): Promise<string> {
  if (env.NODE_ENV === 'production')
    throw new StackError('Tokens are signed for development only, and NODE_ENV is production');
  const privateKeyFile = env.JWT_PRIVATE_KEY_FILE || stackEnv.JWT_PRIVATE_KEY_FILE;
  if (!privateKeyFile)
    throw new StackError('There is no signing key yet', {
      fix: 'Run npm start once, or set JWT_PRIVATE_KEY_FILE.',
    });
  const sign = await createTokenSigner({
    privateKeyFile,
    issuer: env.JWT_ISSUER || stackEnv.JWT_ISSUER || 'quicksale',
    audience: env.JWT_AUDIENCE || stackEnv.JWT_AUDIENCE || 'quicksale',
  });
  return sign('ADMIN').token;
}

/** The books as a table for people. */
export function formatBooks(books: Books): string {
  const columns = ['lastUnit', 'available', 'held', 'committed', 'gone'] as const;
  const cell = (value: string | number | null) => String(value ?? '?').padStart(10);
  const places = Map.groupBy(books.units, ({ place }) => place);
  const lines = [
    `  Sale ${books.saleId}`,
    '',
    `  ${'product'.padEnd(24)}${columns.map(cell).join('')}`,
    ...books.products.map(
      (product) =>
        `  ${product.productId}${columns.map((column) => cell(product[column])).join('')}`,
    ),
    '',
    `  movements ${books.movements.length}`,
    `  units ${['held', 'sold', 'given-back'].map((place) => `${place} ${places.get(place)?.length ?? 0}`).join(', ')}`,
    `  refusals ${books.refusals.map(({ reason, count }) => `${reason} ${count}`).join(', ') || 'none'}`,
    ...books.drifts.map(
      ({ drift, productId, unit, orderId }) =>
        `  DRIFT ${drift} product ${productId ?? '-'} unit ${unit ?? '-'} order ${orderId ?? '-'}`,
    ),
    `  verdict ${books.verdict}${books.reason ? ` (${books.reason})` : ''}`,
  ];
  return `${lines.join('\n')}\n`;
}
