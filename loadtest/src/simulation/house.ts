import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import type { History } from './buyers.ts';
import type { Life } from './scheduler.ts';
import type { Shop } from './shop.ts';

const mostTries = 6;

/** The merchant's own doings: new stock, and units that are written off. Each is repeated until done. */
export async function keepHouse(
  shop: Shop,
  history: History,
  products: readonly CatalogueProduct[],
): Promise<void> {
  const { world } = shop;
  const { random } = world;
  const life: Life = { name: 'merchant', isAlive: true };
  const doings = 1 + random.integer(3);
  for (let doing = 0; doing < doings; doing += 1) {
    await world.sleep(life, random.integer(2_000));
    const { id: productId, saleId } = random.pick(products);
    const units = 1 + random.integer(2);
    const operationId = `operation-${doing}`;
    const isMore = random.isLikely(0.5);
    for (let tried = 0; tried < mostTries; tried += 1) {
      const outcome = await attempt(() =>
        isMore
          ? shop.askInventory(life, async (one) => {
              await one.restock(saleId, productId, units, operationId);
              return 'restocked';
            })
          : shop.askOrders(life, async (one) => {
              const items = [{ productId, quantity: units }];
              const by = 'd'.repeat(24);
              const request = { operationId, saleId, by, reason: 'damage' as const, items };
              return `house ${(await one.placeHouseOrder(request)).status}`;
            }),
      );
      history.counts.set(outcome, (history.counts.get(outcome) ?? 0) + 1);
      if (outcome === 'restocked') history.told.push({ what: 'restocked', id: operationId });
      if (outcome === 'house done') history.told.push({ what: 'written off', id: operationId });
      if (['restocked', 'house done', 'house sold_out'].includes(outcome)) break;
      await world.sleep(life, random.integer(800));
    }
  }
}

const attempt = (work: () => Promise<string>) => work().catch(() => 'house unknown');
