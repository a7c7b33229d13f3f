import { z } from 'zod';
import {
  adminUrl,
  field,
  kafkaFields,
  ledgerRedisFields,
  mongoFields,
  processFields,
  publicPort,
  tokenFields,
  url,
  type Config,
} from '@quicksale/shared/config';

const stripeFields = {
  stripeSecretKey: field(
    'STRIPE_SECRET_KEY',
    z.string().min(1).optional(),
    'Secret key of the account with Stripe; needed where PAYMENT_PROVIDER is stripe',
  ),
  stripeWebhookSecret: field(
    'STRIPE_WEBHOOK_SECRET',
    z.string().min(1).optional(),
    'Secret that Stripe signs its webhooks with; needed where PAYMENT_PROVIDER is stripe',
  ),
  stripeApiUrl: field(
    'STRIPE_API_URL',
    url('https://api.stripe.com'),
    'Stripe, or a server that stands for it in tests',
    'https://api.stripe.com',
  ),
};

/** What order-service reads from its environment. */
export const config = {
  ...processFields('ORDER_SERVICE', 9003),
  ...publicPort('ORDER_SERVICE', 3003),
  ...mongoFields,
  ...ledgerRedisFields,
  ...kafkaFields,
  ...tokenFields,
  ...stripeFields,
  inventoryAdminUrl: adminUrl('INVENTORY_SERVICE', 9002),
};

export type OrderServiceConfig = Config<typeof config>;
