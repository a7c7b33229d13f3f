import { z } from 'zod';
import {
  adminUrl,
  field,
  integer,
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
  nodeEnv: field('NODE_ENV', z.string().optional(), 'production: nothing is simulated by default'),
  paymentProvider: field(
    'PAYMENT_PROVIDER',
    z.enum(['simulator', 'stripe']).optional(),
    'Who takes the money; the simulator when it is not set, and in production it has to be set',
    'simulator',
  ),
  simulatorWebhookUrl: field(
    'SIMULATOR_WEBHOOK_URL',
    z.url('must be a URL').optional(),
    'Where the payment simulator sends its webhooks; this very service when it is not set',
  ),
  simulatorDelayMs: field(
    'SIMULATOR_DELAY_MS',
    integer(3_000),
    'How long a simulated payment by sim_delayed takes',
    '3000',
  ),
  simulatorLateMs: field(
    'SIMULATOR_LATE_MS',
    integer(120_000),
    'How long one by sim_late takes',
    '120000',
  ),
};

export type OrderServiceConfig = Config<typeof config>;
