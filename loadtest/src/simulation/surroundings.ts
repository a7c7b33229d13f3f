import type { TimedSale } from '@quicksale/inventory-service/src/sales/timed-sale.ts';
import type { ProviderEvent } from '@quicksale/order-service/src/payments/payment-provider.ts';
import type { RecordedSale } from '@quicksale/order-service/src/rebuild/record-sale.ts';
import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import type { Life } from './scheduler.ts';
import type { SimulatedBus } from './simulated-bus.ts';
import type { SimulatedLedger } from './simulated-ledger.ts';
import type { SimulatedMongo } from './simulated-mongo.ts';
import type { World } from './world.ts';

/** What a process finds around it: stores, what is sold, and the other processes at a distance. */
export interface Surroundings {
  world: World;
  mongo: SimulatedMongo;
  bus: SimulatedBus;
  ledger: SimulatedLedger;
  sales: readonly TimedSale[];
  catalogue: Map<string, CatalogueProduct>;
  hasPayments: boolean;
  /** The last unit that MongoDB has of a product. */
  lastUnit(saleId: string, productId: string): number;
  /** How wrong the clock of a process is. */
  skewMs(life: Life): number;
  noteRepair(repair: string): void;
  /** Asks order-service for what a rebuild needs. */
  recordSale(asker: Life, saleId: string): Promise<RecordedSale>;
  /** A webhook of the payment provider; it is not sent again when it gets lost. */
  tellNews(event: ProviderEvent): void;
}
