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
  type Config,
} from '@quicksale/shared/config';

/** What inventory-service reads from its environment. */
export const config = {
  ...processFields('INVENTORY_SERVICE', 9002),
  ...publicPort('INVENTORY_SERVICE', 3002),
  ...mongoFields,
  ...ledgerRedisFields,
  ...kafkaFields,
  ...tokenFields,
  orderAdminUrl: adminUrl('ORDER_SERVICE', 9003),
  currency: field(
    'CURRENCY',
    z
      .string()
      .regex(/^[A-Z]{3}$/, 'three capital letters (ISO 4217)')
      .default('USD'),
    'Currency of every price',
    'USD',
  ),
};

export type InventoryServiceConfig = Config<typeof config>;
