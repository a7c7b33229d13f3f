import type { Principal } from '@quicksale/shared/auth';
import { faultPoint, type Random } from '@quicksale/shared/process';
import { finishProduct, type FinishDeps } from '../products/finish-product.ts';
import type { Product } from '../products/product.ts';
import type { ProductStore } from '../products/product-store.ts';
import { advanceSale, type AdvanceDeps } from './advance-sale.ts';
import { availableUnits } from './move-units.ts';
import type { Refusal, SaleItem, TimedSale } from './timed-sale.ts';
import type { TimedSaleStore } from './timed-sale-store.ts';

export interface CreateSaleDeps extends AdvanceDeps, FinishDeps {
  timedSales: TimedSaleStore;
  products: ProductStore;
  movements: AdvanceDeps['movements'] & FinishDeps['movements'];
  ledger: AdvanceDeps['ledger'] & FinishDeps['ledger'];
  sales: FinishDeps['sales'];
  random: Random;
}

/** What a merchant says of a new sale. */
export interface NewSale extends Pick<
  TimedSale,
  'name' | 'opensAt' | 'closesAt' | 'perBuyerLimit' | 'holdMs' | 'durability'
> {
  items: readonly { productId: string; price: number; stock: number }[];
}

export type CreatedSale =
  | { kind: 'created'; sale: TimedSale }
  | { kind: 'unknown-product'; productId: string }
  /** The products are not one merchant's. */
  | { kind: 'several-merchants' }
  | { kind: 'refused'; refusal: Refusal };

/**
 * Makes a timed sale of a merchant's products: its units move out of the standing sale, all or none.
 * When this fails midway a runner goes on; a refused sale leaves everything as it was.
 */
export async function createSale(
  deps: CreateSaleDeps,
  given: NewSale,
  principal: Principal,
): Promise<CreatedSale> {
  const found = new Map(
    (await deps.products.findByIds(given.items.map(({ productId }) => productId))).map(
      (product) => [product.id, product],
    ),
  );
  const products: Product[] = [];
  for (const { productId } of given.items) {
    const product = found.get(productId);
    const isOwn = product?.merchantId === principal.userId || principal.role === 'ADMIN';
    if (!product || product.archived || !isOwn) return { kind: 'unknown-product', productId };
    products.push(product);
  }
  const [first] = products;
  if (!first || products.some(({ merchantId }) => merchantId !== first.merchantId))
    return { kind: 'several-merchants' };
  const refusal = await foreseeRefusal(deps, given, products);
  if (refusal) return { kind: 'refused', refusal };

  const sale = draftSale(deps, given, products, first);
  await deps.timedSales.insert(sale);
  faultPoint('after-sale-written');
  const made = await advanceSale(deps, sale);
  return made.refusal
    ? { kind: 'refused', refusal: made.refusal }
    : { kind: 'created', sale: made };
}

/** What can be known before anything is written; the steps themselves make sure. */
async function foreseeRefusal(
  deps: CreateSaleDeps,
  { items }: NewSale,
  products: readonly Product[],
): Promise<Refusal | undefined> {
  const taken = products.find(({ claimedBy }) => claimedBy !== undefined);
  if (taken) return { code: 'product-in-sale', productId: taken.id };
  // Its first units may still be on their way to the ledger.
  for (const product of products) if (product.pendingSince) await finishProduct(deps, product);
  const short = [];
  for (const { productId, stock } of items) {
    const saleId = found(products, productId).merchantId;
    const available = await availableUnits(deps, { saleId, productId });
    if (available < stock) short.push({ productId, available });
  }
  return short.length > 0 ? { code: 'insufficient-stock', products: short } : undefined;
}

function found(products: readonly Product[], productId: string): Product {
  const product = products.find(({ id }) => id === productId);
  if (!product) throw new Error(`Product ${productId} was not read`);
  return product;
}

/** The runner leaves it alone for so long: the request that makes it works on it. */
const headStartMs = 5_000;

function draftSale(
  { clock, random }: Pick<CreateSaleDeps, 'clock' | 'random'>,
  { items, ...terms }: NewSale,
  products: readonly Product[],
  { merchantId, currency }: Product,
): TimedSale {
  const nowMs = clock.now();
  const at = new Date(nowMs);
  return {
    ...terms,
    id: random.objectId(nowMs),
    kind: 'timed',
    merchantId,
    currency,
    items: items.map(({ productId, price, stock }): SaleItem => {
      const { sku, name } = found(products, productId);
      return { productId, sku, name, price, stock, allotted: 0, rounds: 0 };
    }),
    stage: 'preparing',
    settingsVersion: 1,
    putVersion: 0,
    ledgerReady: false,
    revision: 1,
    runAt: new Date(nowMs + headStartMs),
    createdAt: at,
    updatedAt: at,
  };
}
