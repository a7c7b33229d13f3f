import type { Logger } from '@quicksale/shared/log';
import type { Mongo } from '@quicksale/shared/mongo';
import type { OrderStore } from '@quicksale/shared/orders';
import { repeat, type Clock, type Part, type Random } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { Discount } from './discount.ts';
import type { DiscountRoutesDeps } from './discounts.routes.ts';
import type { MerchantSettings } from './merchant-settings.ts';
import { createDiscountIndexes, createMongoDiscountStore } from './mongo-discount-store.ts';
import { createDiscountUseIndexes, createMongoDiscountUses } from './mongo-discount-uses.ts';
import { createMongoMerchantSettings } from './mongo-merchant-settings.ts';
import { createPricing, type Pricing } from './pricing.ts';
import { createReadThrough } from './read-through.ts';
import type { SettingsRoutesDeps } from './settings.routes.ts';
import { createUseSweep } from './sweep-uses.ts';

export interface PricingParts extends SettingsRoutesDeps, DiscountRoutesDeps {
  pricing: Pricing;
  indexes: Part;
  sweep: Part;
}

const remembered = 10_000;
const settingsTtlMs = 60_000;
/** A code that got into wrong hands is to end soon. */
const discountTtlMs = 5_000;
/** Long enough to stop a storm of requests for nothing, short enough for a code just made. */
const missingTtlMs = 1_000;

/** What merchants add to prices and take off. */
export function buildPricing(deps: {
  mongo: Mongo;
  orders: OrderStore;
  ledger: Pick<StockLedger, 'findKeys'>;
  clock: Clock;
  random: Random;
  log: Logger;
  useSweepMs?: number | undefined;
}): PricingParts {
  const { mongo, clock, random, log } = deps;
  const settings = createMongoMerchantSettings(mongo);
  const cachedSettings = createReadThrough<MerchantSettings>({
    clock,
    read: settings.read,
    ttlMs: () => settingsTtlMs,
    most: remembered,
  });
  const discounts = createMongoDiscountStore(mongo);
  const cachedDiscounts = createReadThrough<Discount | undefined>({
    clock,
    read: (key) => {
      const [merchantId = '', code = ''] = key.split('/');
      return discounts.findByCode(merchantId, code);
    },
    ttlMs: (discount) => (discount ? discountTtlMs : missingTtlMs),
    most: remembered,
  });
  const uses = createMongoDiscountUses(mongo, clock);
  return {
    clock,
    random,
    settings: { store: settings, cached: cachedSettings },
    discounts: { store: discounts, uses, cached: cachedDiscounts },
    pricing: createPricing({
      ...{ clock, random, uses },
      ...{ settings: cachedSettings, discounts: cachedDiscounts },
    }),
    indexes: {
      name: 'discount indexes',
      start: async () => {
        await createDiscountIndexes(mongo);
        await createDiscountUseIndexes(mongo);
      },
      stop: async () => undefined,
    },
    sweep: repeat({
      name: 'discount uses',
      repair: 'discount-uses',
      everyMs: deps.useSweepMs ?? 5_000,
      log,
      work: createUseSweep({ ...deps, uses }),
    }),
  };
}
