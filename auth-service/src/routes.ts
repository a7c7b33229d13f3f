import type { PublicJwk } from '@quicksale/shared/auth';
import type { Route } from '@quicksale/shared/http';
import { addressesRoutes, type AddressesRoutesDeps } from './addresses/addresses.routes.ts';
import { keysRoutes } from './keys/keys.routes.ts';
import { sessionsRoutes, type SessionsRoutesOptions } from './sessions/sessions.routes.ts';
import type { UserStore } from './users/user.ts';
import { usersRoutes } from './users/users.routes.ts';

export interface PublicRoutesDeps {
  sessions: SessionsRoutesOptions;
  users: UserStore;
  addresses: AddressesRoutesDeps;
  keys: readonly PublicJwk[];
}

/** What everybody may call; it is also this service's part of the API docs. */
export const publicRoutes = ({ sessions, users, addresses, keys }: PublicRoutesDeps): Route[] => [
  ...sessionsRoutes(sessions),
  ...usersRoutes(users),
  ...addressesRoutes(addresses),
  ...keysRoutes(keys),
];
