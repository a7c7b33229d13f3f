/** `streams` is notifier-service for answers that stay open: they must not take others' places. */
export type UpstreamName = 'auth' | 'inventory' | 'order' | 'notifier' | 'streams';

/** One line of the table; `*` stands for one segment. */
interface Row {
  path: string;
  upstream: UpstreamName | 'pages';
  /** Only this very path, not what is below it. */
  exact?: boolean;
  /** Methods that need no token. */
  open?: 'all' | readonly string[];
}

const reads = ['GET', 'HEAD'];

/** The first row that fits decides; what fits none is not there. */
const rows: readonly Row[] = [
  { path: '/docs', upstream: 'pages', exact: true, open: 'all' },
  { path: '/openapi.json', upstream: 'pages', exact: true, open: 'all' },
  { path: '/status.json', upstream: 'pages', exact: true, open: 'all' },
  { path: '/errors', upstream: 'pages', open: 'all' },
  { path: '/assets/*', upstream: 'pages', exact: true, open: 'all' },
  { path: '/.well-known/jwks.json', upstream: 'auth', exact: true, open: 'all' },
  { path: '/api/auth', upstream: 'auth', open: 'all' },
  { path: '/api/users/me', upstream: 'auth' },
  { path: '/api/admin/users', upstream: 'auth' },
  { path: '/api/inventory/products/*/movements', upstream: 'inventory', exact: true },
  { path: '/api/inventory/products', upstream: 'inventory', open: reads },
  { path: '/api/inventory', upstream: 'inventory' },
  { path: '/api/sales/*/audit', upstream: 'inventory', exact: true },
  { path: '/api/sales', upstream: 'inventory', open: reads },
  { path: '/api/orders/*/events', upstream: 'streams', exact: true },
  { path: '/api/orders', upstream: 'order' },
  { path: '/api/merchant/orders', upstream: 'order' },
  { path: '/api/merchant/orders.csv', upstream: 'order', exact: true },
  { path: '/api/merchant/settings', upstream: 'order', exact: true },
  { path: '/api/merchant/discounts', upstream: 'order' },
  { path: '/api/cart', upstream: 'order' },
  { path: '/api/payments/webhook', upstream: 'order', open: 'all' },
  { path: '/api/payments', upstream: 'order' },
  { path: '/api/notifications', upstream: 'notifier' },
  { path: '/api/ws-tickets', upstream: 'notifier' },
  { path: '/api/webhooks', upstream: 'notifier' },
];

const table = rows.map((row) => ({ ...row, segments: row.path.slice(1).split('/') }));

/** Where a request goes. */
export interface Destination {
  /** Path as it was sent, without its query. */
  path: string;
  /** `pages`: the gateway itself has it. */
  upstream: UpstreamName | 'pages';
  needsToken: boolean;
}

/**
 * Paths are compared as they are, so only those that everybody reads alike get through: lower
 * case, no escapes, no empty or dot segments, no trailing slash, not absolute-form. The services
 * route without regard to case and slashes; a second spelling would pass by the limits here.
 */
const plainPath = /^(?:\/[a-z0-9_~-][a-z0-9._~-]*)+$/;

/** The destination of a request target, or undefined when there is nothing at that address. */
export function findDestination(method: string, target: string): Destination | undefined {
  const path = target.split('?', 1)[0] ?? '';
  if (path === '/') return { path, upstream: 'pages', needsToken: false };
  if (path !== '/.well-known/jwks.json' && !plainPath.test(path)) return undefined;
  const segments = path.slice(1).split('/');
  const row = table.find((candidate) => fits(candidate, segments));
  if (!row) return undefined;
  const isOpen = row.open === 'all' || (row.open?.includes(method) ?? false);
  return { path, upstream: row.upstream, needsToken: !isOpen };
}

function fits(row: (typeof table)[number], segments: readonly string[]): boolean {
  if (row.exact ? segments.length !== row.segments.length : segments.length < row.segments.length)
    return false;
  return row.segments.every((wanted, index) => wanted === '*' || wanted === segments[index]);
}
