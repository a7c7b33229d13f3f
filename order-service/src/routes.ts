import type { Route } from '@quicksale/shared/http';
import { cartRoutes, type CartRoutesDeps } from './cart/cart.routes.ts';
import { intakeRoutes } from './intake/intake.routes.ts';
import type { PlaceOrderDeps } from './intake/place-order.ts';
import { orderRoutes, type OrderRoutesDeps } from './orders/orders.routes.ts';

/** What everybody may call; it is also this service's part of the API docs. */
export const publicRoutes = (deps: PlaceOrderDeps & OrderRoutesDeps & CartRoutesDeps): Route[] => [
  ...intakeRoutes(deps),
  ...orderRoutes(deps),
  ...cartRoutes(deps),
];
