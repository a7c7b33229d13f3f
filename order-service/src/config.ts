import {
  adminUrl,
  kafkaFields,
  ledgerRedisFields,
  mongoFields,
  processFields,
  publicPort,
  tokenFields,
  type Config,
} from '@quicksale/shared/config';

/** What order-service reads from its environment. */
export const config = {
  ...processFields('ORDER_SERVICE', 9003),
  ...publicPort('ORDER_SERVICE', 3003),
  ...mongoFields,
  ...ledgerRedisFields,
  ...kafkaFields,
  ...tokenFields,
  inventoryAdminUrl: adminUrl('INVENTORY_SERVICE', 9002),
};

export type OrderServiceConfig = Config<typeof config>;
