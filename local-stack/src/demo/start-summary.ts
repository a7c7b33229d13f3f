import pc from 'picocolors';
import type { Demo } from './demo-file.ts';
import type { DeveloperToken } from './developer-tokens.ts';

/** What a developer needs once everything runs; `--json` prints exactly this. */
export interface StartSummary {
  readonly note: string;
  readonly urls: Readonly<Record<string, string>>;
  readonly tokens: Readonly<Record<'CUSTOMER' | 'MERCHANT' | 'ADMIN', string>>;
  readonly demo: {
    readonly productId: string;
    readonly saleId: string;
    readonly saleProductId: string;
    readonly buyerId: string;
    readonly file: string;
  };
  readonly buy: string;
  readonly sources: Readonly<Record<string, string>>;
}

export function summarize(input: {
  env: Readonly<Record<string, string>>;
  demo: Demo;
  demoFile: string;
  sources: Readonly<Record<string, string>>;
  sign: (role: 'CUSTOMER' | 'MERCHANT' | 'ADMIN', userId?: string) => DeveloperToken;
}): StartSummary {
  const { env, demo, sign } = input;
  const gateway = `http://localhost:${env.GATEWAY_PORT}`;
  const [buyer] = demo.buyers;
  const tokens = {
    CUSTOMER: sign('CUSTOMER', buyer?.id).token,
    MERCHANT: sign('MERCHANT', demo.merchant.id).token,
    ADMIN: sign('ADMIN', demo.admin.id).token,
  };
  const productId = demo.product.id ?? '';
  return {
    note: 'Development only: tokens, keys and passwords here are for this machine alone.',
    urls: {
      gateway,
      docs: `${gateway}/docs`,
      health: `${gateway}/health`,
      demoSale: `${gateway}/api/sales/${demo.sale.id ?? ''}`,
      metrics: `${env.ORDER_SERVICE_ADMIN_URL}/metrics`,
      webSocket: `ws://localhost:${env.NOTIFIER_SERVICE_PORT}?token=<token>`,
    },
    tokens,
    demo: {
      productId,
      saleId: demo.sale.id ?? '',
      saleProductId: demo.sale.productId ?? '',
      buyerId: buyer?.id ?? '',
      file: input.demoFile,
    },
    buy: buyCommand(gateway, tokens.CUSTOMER, productId),
    sources: input.sources,
  };
}

function buyCommand(gateway: string, token: string, productId: string): string {
  const body = JSON.stringify({ items: [{ productId, quantity: 1 }] });
  return [
    `curl -i -X POST ${gateway}/api/orders`,
    `-H 'Authorization: Bearer ${token}'`,
    `-H 'Idempotency-Key: demo-'$(date +%s)`,
    `-H 'Content-Type: application/json'`,
    `-d '${body}'`,
  ].join(' \\\n    ');
}

export function formatSummary(summary: StartSummary): string {
  const { urls, tokens } = summary;
  const row = (name: string, value: string): string => `  ${pc.bold(name.padEnd(12))} ${value}`;
  return [
    '',
    pc.green(pc.bold('QuickSale is running.')) + ` ${pc.yellow(summary.note)}`,
    row('Start page', urls.gateway ?? ''),
    row('API docs', urls.docs ?? ''),
    row('Health', urls.health ?? ''),
    row('Metrics', urls.metrics ?? ''),
    row('Demo sale', `${urls.demoSale ?? ''} (opens 20 s after the first start)`),
    row('WebSocket', urls.webSocket ?? ''),
    row('Demo users', summary.demo.file),
    '',
    '  Tokens of the demo users, valid for an hour (more: npm run -s tokens):',
    ...Object.entries(tokens).map(([role, token]) => row(role, token)),
    '',
    '  Buy one unit of DEMO-100:',
    `  ${summary.buy}`,
    '',
    '  Ctrl-C stops everything. npm run reset -- --yes starts over.',
    '',
  ].join('\n');
}
