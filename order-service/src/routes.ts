import type { Route } from '@quicksale/shared/http';
import { merchantOrderRoutes } from './fulfilment/merchant-orders.routes.ts';
import { updateStatusRoutes } from './fulfilment/update-status.routes.ts';
import { intakeRoutes } from './intake/intake.routes.ts';
import type { PlaceOrderDeps } from './intake/place-order.ts';
import { invoiceRoutes } from './invoice/invoice.routes.ts';
import { orderRoutes, type OrderRoutesDeps } from './orders/orders.routes.ts';

/** What everybody may call; it is also this service's part of the API docs. */
export const publicRoutes = (deps: PlaceOrderDeps & OrderRoutesDeps): Route[] => [
  ...intakeRoutes(deps),
  ...orderRoutes(deps),
  ...updateStatusRoutes(deps),
  ...merchantOrderRoutes(deps),
  ...invoiceRoutes(deps),
];
