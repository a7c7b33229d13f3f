import type { Route } from '@quicksale/shared/http';
import { intakeRoutes } from './intake/intake.routes.ts';
import type { PlaceOrderDeps } from './intake/place-order.ts';
import { orderRoutes, type OrderRoutesDeps } from './orders/orders.routes.ts';
import { discountRoutes, type DiscountRoutesDeps } from './pricing/discounts.routes.ts';
import { settingsRoutes, type SettingsRoutesDeps } from './pricing/settings.routes.ts';

/** What everybody may call; it is also this service's part of the API docs. */
export const publicRoutes = (
  deps: PlaceOrderDeps & OrderRoutesDeps & SettingsRoutesDeps & DiscountRoutesDeps,
): Route[] => [
  ...intakeRoutes(deps),
  ...orderRoutes(deps),
  ...settingsRoutes(deps),
  ...discountRoutes(deps),
];
