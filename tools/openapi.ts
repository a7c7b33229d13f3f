// Writes the API docs' document: node tools/openapi.ts > gateway/src/pages/openapi.json
import { pathToFileURL } from 'node:url';
import { publicRoutes as authRoutes } from '@quicksale/auth-service/routes';
import { publicRoutes as inventoryRoutes } from '@quicksale/inventory-service/routes';
import { publicRoutes as orderRoutes } from '@quicksale/order-service/routes';
import { errorRegistry } from '@quicksale/shared/errors';
import type { Route } from '@quicksale/shared/http';
import manifest from '../package.json' with { type: 'json' };
import { describeOperation, type Components, type Json } from './describe-operation.ts';

/** Contracts are read without running anything: nobody asks these for anything. */
const nothing = new Proxy({}, { get: () => undefined }) as never;

/** Every route that can be reached through the gateway, service by service. */
export const allRoutes: readonly Route[] = [
  ...authRoutes({ sessions: nothing, users: nothing, addresses: nothing, keys: nothing }),
  ...inventoryRoutes(nothing),
  ...orderRoutes(nothing),
];

const tags: readonly [path: RegExp, tag: string][] = [
  [/^\/(api\/auth|api\/users|\.well-known)\//, 'Accounts'],
  [/^\/api\/inventory\/products/, 'Products'],
  [/^\/api\/inventory\//, 'Holds'],
  [/^\/api\/sales/, 'Sales'],
  [/^\/api\/(merchant\/orders|orders\/:id\/status)/, 'Fulfilment'],
  [/^\/api\/orders/, 'Orders'],
  [/^\/api\/payments\//, 'Payments'],
  [/^\/api\/merchant\//, 'Merchant'],
  [/^\/api\/cart/, 'Cart'],
];

const description = `A flash-sale shop. Sign in, find a product, \`POST /api/orders\` with an \`Idempotency-Key\`, and follow the
order over the WebSocket at \`/ws\` or by reading it again.

- **Errors** are \`application/problem+json\`; act on \`code\`. Each code has a page under \`/errors\`.
- **A repeat is safe** where a call takes an \`Idempotency-Key\`. After a lost answer, a timeout or a 503 send the same request with the same key: it has no second effect. Keys are kept for at least 24 hours.
- **Limits** are told by the \`RateLimit\` fields; a 429 carries \`Retry-After\`.
- **Amounts** are in major units with two decimals, times are ISO 8601 in UTC.`;

/** The OpenAPI 3.1 document of the whole API, made from the contracts that validate its requests. */
export function openApiDocument(): Json {
  const components: Components = new Map();
  const paths: Record<string, Json> = {};
  for (const { spec } of allRoutes) {
    const tag = tags.find(([path]) => path.test(spec.path))?.[1];
    if (!tag) throw new Error(`${spec.path} belongs to no chapter of the API docs`);
    const path = spec.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[spec.method] = describeOperation(spec, tag, components);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'QuickSale',
      version: manifest.version,
      description,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: tags.map(([, name]) => ({ name })),
    paths,
    components: {
      securitySchemes: { accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: {
        Problem: problemSchema,
        ...Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
      },
    },
  };
}

const problemSchema: Json = {
  type: 'object',
  description: 'RFC 9457; a code may bring fields of its own.',
  required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId'],
  properties: {
    type: { type: 'string', description: 'Address of the page about the code' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'For people; may change' },
    instance: { type: 'string' },
    code: { type: 'string', enum: Object.keys(errorRegistry) },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'message'],
        properties: {
          pointer: {
            type: 'string',
            description:
              'JSON pointer into the body; what begins with /query or /params is in the address',
          },
          message: { type: 'string' },
        },
      },
    },
  },
};

/** Text of the committed document; a test holds the file to it. */
export const openApiText = () => `${JSON.stringify(openApiDocument(), null, 2)}\n`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.stdout.write(openApiText());
