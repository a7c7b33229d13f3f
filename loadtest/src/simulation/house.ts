import {
  changeTerms,
  pause,
  resume,
  type SaleChange,
} from '@quicksale/inventory-service/src/sales/sale-changes.ts';
import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import type { History } from './buyers.ts';
import type { Life } from './scheduler.ts';
import type { Shop } from './shop.ts';

const mostTries = 6;
const hourMs = 3_600_000;

const isFinal = (outcome: string) =>
  ['restocked', 'house done', 'house sold_out'].includes(outcome) || outcome.endsWith(' changed');

/** One of the merchant's doings; resolves to what it was told. */
type Doing = (operationId: string) => Promise<string>;

/**
 * The merchant's own doings: new stock, units that are written off, sales that pause and go on. Each
 * is repeated until it is done.
 */
export async function keepHouse(
  shop: Shop,
  history: History,
  products: readonly CatalogueProduct[],
): Promise<void> {
  const { world } = shop;
  const { random } = world;
  const life: Life = { name: 'merchant', isAlive: true };
  const count = (what: string) => history.counts.set(what, (history.counts.get(what) ?? 0) + 1);

  async function untilDone(operationId: string, work: Doing): Promise<void> {
    for (let tried = 0; tried < mostTries; tried += 1) {
      const outcome = await work(operationId).catch(() => 'house unknown');
      count(outcome);
      if (outcome === 'restocked') history.told.push({ what: 'restocked', id: operationId });
      if (outcome === 'house done') history.told.push({ what: 'written off', id: operationId });
      if (isFinal(outcome)) return;
      await world.sleep(life, random.integer(800));
    }
  }

  function drawDoings({ id: productId, saleId }: CatalogueProduct): Doing[] {
    const units = 1 + random.integer(2);
    const change =
      (what: string, decide: SaleChange): Doing =>
      () =>
        shop.askInventory(life, async (one) => {
          const { kind } = await one.change(saleId, decide);
          return `${what} ${kind}`;
        });
    const restock: Doing = (operationId) =>
      shop.askInventory(life, async (one) => {
        await one.restock(saleId, productId, units, operationId);
        return 'restocked';
      });
    const writeOff: Doing = (operationId) =>
      shop.askOrders(life, async (one) => {
        const items = [{ productId, quantity: units }];
        const by = 'd'.repeat(24);
        const request = { operationId, saleId, by, reason: 'damage' as const, items };
        return `house ${(await one.placeHouseOrder(request)).status}`;
      });
    const rename = change('rename', changeTerms({ name: 'another' }));
    const closesAt = shop.sales.find(({ id }) => id === saleId)?.closesAt.getTime() ?? 0;
    // What follows the end of a sale is beyond the simulation.
    const mayChange = closesAt > world.now() + hourMs;
    return random.pick([
      [restock],
      [writeOff],
      ...(mayChange ? [[change('pause', pause), change('resume', resume)], [rename]] : []),
    ]);
  }

  const doings = 1 + random.integer(3);
  for (let doing = 0; doing < doings; doing += 1)
    for (const [part, work] of drawDoings(random.pick(products)).entries()) {
      await world.sleep(life, random.integer(2_000));
      await untilDone(`operation-${doing}-${part}`, work);
    }
}
