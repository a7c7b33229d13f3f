import { randomBytes } from 'node:crypto';
import type { Express } from 'express';
import { createTokenVerifier, publicJwk } from '@quicksale/shared/auth';
import { createApp } from '@quicksale/shared/http';
import { connectLimitStore, createRateLimiter, type RateLimit } from '@quicksale/shared/limits';
import type { Logger } from '@quicksale/shared/log';
import { connectMongo } from '@quicksale/shared/mongo';
import {
  composeService,
  createMetrics,
  createSystemRandom,
  httpPart,
  systemClock,
  type Clock,
  type Service,
} from '@quicksale/shared/process';
import manifest from '../package.json' with { type: 'json' };
import { createMongoAddressStore } from './addresses/mongo-address-store.ts';
import type { AuthServiceConfig } from './config.ts';
import { createPasswordHasher, type Argon2 } from './passwords/password-hasher.ts';
import { publicRoutes } from './routes.ts';
import { createAccessTokenIssuer } from './sessions/issue-access-token.ts';
import { createMongoSessionStore } from './sessions/mongo-session-store.ts';
import { createMongoUserStore } from './users/mongo-user-store.ts';
import { internalUsersRoutes } from './users/users.routes.ts';

export interface AuthService extends Service {
  app: Express;
  port(): number;
}

/** auth-service: accounts, sessions, and the key that signs access tokens. */
export function buildService(
  config: AuthServiceConfig,
  log: Logger,
  overrides: { clock?: Clock; argon2?: Argon2 } = {},
): AuthService {
  const clock = overrides.clock ?? systemClock;
  const random = createSystemRandom();
  const { namespace, signingKey, jwtIssuer: issuer, jwtAudience: audience } = config;
  const metrics = createMetrics();
  const mongo = connectMongo({ url: config.mongoUrl, namespace, log, metrics });
  const limitStore = connectLimitStore({ url: config.redisUrl, log });
  const createLimiter = (name: string, limit: RateLimit) =>
    createRateLimiter({ store: limitStore, namespace, policy: { name, ...limit } });
  const users = createMongoUserStore(mongo);
  const sessions = createMongoSessionStore(mongo);
  const keys = [publicJwk(signingKey)];
  const deps = {
    users,
    sessions,
    passwords: createPasswordHasher({ argon2: overrides.argon2 }),
    issueAccessToken: createAccessTokenIssuer({
      privateKey: signingKey,
      issuer,
      audience,
      clock,
      random,
    }),
    clock,
    random,
    randomBytes,
  };
  const app = createApp({
    service: 'auth-service',
    version: manifest.version,
    log,
    trustProxyHops: config.trustProxyHops,
    // Its own keys need no way over the network.
    verifyAccessToken: createTokenVerifier({
      jwksUrl: '',
      issuer,
      audience,
      clock,
      fetchJwks: () => Promise.resolve({ keys }),
    }),
    routes: publicRoutes({
      sessions: {
        deps,
        loginLimiters: {
          attempts: createLimiter('login', config.loginLimit),
          failures: createLimiter('login-failures', config.loginFailureLimit),
        },
        merchantSignUp: config.merchantSignUp === 'on',
      },
      users,
      addresses: { addresses: createMongoAddressStore(mongo), clock, random },
      keys,
    }),
  });
  const http = httpPart({ app, port: config.port, host: config.host });
  const indexes = {
    name: 'indexes',
    start: async () => {
      await users.prepare();
      await sessions.prepare();
    },
    stop: () => Promise.resolve(),
  };
  const service = composeService({
    log,
    host: config.host,
    adminPort: config.adminPort,
    internalKey: config.internalKey,
    parts: [mongo, limitStore, indexes, http],
    metrics,
    internalRoutes: internalUsersRoutes(deps),
  });
  return { ...service, app, port: http.port };
}
