import type { IncomingMessage } from 'node:http';

const paths = new Set(['/', '/ws']);
const tokenForm = /^[A-Za-z0-9._~+/=-]{1,4096}$/;

export interface UpgradePolicy {
  /** Origins whose pages may connect; clients that are no browsers send none. */
  origins: ReadonlySet<string>;
  /** Whether a token may stand in the address. */
  queryToken: boolean;
  trustProxyHops: number;
}

export type UpgradeDecision =
  | { kind: 'refused'; status: 403 | 404 }
  | { kind: 'accepted'; ip: string; token: string | undefined };

/** What an upgrade request asks for. No Express middleware has seen it. */
export function readUpgrade(req: IncomingMessage, policy: UpgradePolicy): UpgradeDecision {
  const [path = '', query = ''] = (req.url ?? '').split('?', 2);
  if (!paths.has(path)) return { kind: 'refused', status: 404 };
  const { origin } = req.headers;
  if (origin !== undefined && !policy.origins.has(origin)) return { kind: 'refused', status: 403 };
  return {
    kind: 'accepted',
    ip: clientAddress(req, policy.trustProxyHops),
    token: policy.queryToken ? readToken(query) : undefined,
  };
}

function readToken(query: string): string | undefined {
  const tokens = new URLSearchParams(query).getAll('token');
  return tokens.length === 1 && tokenForm.test(tokens[0] ?? '') ? tokens[0] : undefined;
}

/** Address of the client as far as trusted proxies tell it; as Express' `trust proxy` counts. */
function clientAddress(req: IncomingMessage, trustedHops: number): string {
  const forwarded = String(req.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
  const chain = [req.socket.remoteAddress ?? '', ...forwarded.reverse()];
  return chain[Math.min(trustedHops, chain.length - 1)] ?? '';
}
