import type { PublicJwk } from '@quicksale/shared/auth';
import type { Route } from '@quicksale/shared/http';
import { keysRoutes } from './keys/keys.routes.ts';
import { sessionsRoutes, type SessionsRoutesOptions } from './sessions/sessions.routes.ts';
import type { UserStore } from './users/user.ts';
import { usersRoutes } from './users/users.routes.ts';

export interface PublicRoutesDeps {
  sessions: SessionsRoutesOptions;
  users: UserStore;
  keys: readonly PublicJwk[];
}

/** What everybody may call; it is also this service's part of the API docs. */
export const publicRoutes = ({ sessions, users, keys }: PublicRoutesDeps): Route[] => [
  ...sessionsRoutes(sessions),
  ...usersRoutes(users),
  ...keysRoutes(keys),
];
