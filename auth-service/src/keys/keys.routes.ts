import { z } from 'zod';
import type { PublicJwk } from '@quicksale/shared/auth';
import { route, type Route } from '@quicksale/shared/http';

const jwkSchema = z.object({
  kty: z.literal('RSA'),
  n: z.string(),
  e: z.string(),
  kid: z.string(),
  use: z.literal('sig'),
  alg: z.literal('RS256'),
});

/** Publishes the keys that access tokens are verified with. */
export function keysRoutes(keys: readonly PublicJwk[]): readonly Route[] {
  return [
    route(
      {
        operationId: 'listKeys',
        method: 'get',
        path: '/.well-known/jwks.json',
        summary: 'Public keys of access tokens (RFC 7517)',
        access: 'public',
        replies: { 200: z.object({ keys: z.array(jwkSchema) }) },
      },
      async () => ({
        status: 200,
        headers: { 'Cache-Control': 'public, max-age=300' },
        body: { keys: [...keys] },
      }),
    ),
  ];
}
