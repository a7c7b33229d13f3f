import type { Route } from '@quicksale/shared/http';
import { cartRoutes, type CartRoutesDeps } from './cart/cart.routes.ts';
import { merchantOrderRoutes } from './fulfilment/merchant-orders.routes.ts';
import { updateStatusRoutes } from './fulfilment/update-status.routes.ts';
import { intakeRoutes } from './intake/intake.routes.ts';
import type { PlaceOrderDeps } from './intake/place-order.ts';
import { invoiceRoutes } from './invoice/invoice.routes.ts';
import { orderRoutes, type OrderRoutesDeps } from './orders/orders.routes.ts';
import { paymentMethodRoutes, type MethodRoutesDeps } from './payments/payment-methods.routes.ts';
import { paymentWebhookRoutes } from './payments/payment-webhook.routes.ts';
import { paymentRoutes, type PaymentRoutesDeps } from './payments/payments.routes.ts';
import type { ReceiveEventDeps } from './payments/receive-event.ts';
import { discountRoutes, type DiscountRoutesDeps } from './pricing/discounts.routes.ts';
import { settingsRoutes, type SettingsRoutesDeps } from './pricing/settings.routes.ts';

/** What the public routes need. */
export type PublicRoutesDeps = PlaceOrderDeps &
  OrderRoutesDeps &
  CartRoutesDeps &
  PaymentRoutesDeps &
  MethodRoutesDeps &
  ReceiveEventDeps &
  SettingsRoutesDeps &
  DiscountRoutesDeps;

/** What everybody may call; it is also this service's part of the API docs. */
export const publicRoutes = (deps: PublicRoutesDeps): Route[] => [
  ...intakeRoutes(deps),
  ...orderRoutes(deps),
  ...cartRoutes(deps),
  // Before the payment of any id.
  ...paymentMethodRoutes(deps),
  ...paymentRoutes(deps),
  ...paymentWebhookRoutes(deps),
  ...settingsRoutes(deps),
  ...discountRoutes(deps),
  ...updateStatusRoutes(deps),
  ...merchantOrderRoutes(deps),
  ...invoiceRoutes(deps),
];
