import type { Route } from '@quicksale/shared/http';
import { intakeRoutes } from './intake/intake.routes.ts';
import type { PlaceOrderDeps } from './intake/place-order.ts';
import { orderRoutes, type OrderRoutesDeps } from './orders/orders.routes.ts';
import { paymentMethodRoutes, type MethodRoutesDeps } from './payments/payment-methods.routes.ts';
import { paymentWebhookRoutes } from './payments/payment-webhook.routes.ts';
import { paymentRoutes, type PaymentRoutesDeps } from './payments/payments.routes.ts';
import type { ReceiveEventDeps } from './payments/receive-event.ts';

/** What everybody may call; it is also this service's part of the API docs. */
export const publicRoutes = (
  deps: PlaceOrderDeps & OrderRoutesDeps & PaymentRoutesDeps & MethodRoutesDeps & ReceiveEventDeps,
): Route[] => [
  ...intakeRoutes(deps),
  ...orderRoutes(deps),
  ...paymentRoutes(deps),
  ...paymentMethodRoutes(deps),
  ...paymentWebhookRoutes(deps),
];
