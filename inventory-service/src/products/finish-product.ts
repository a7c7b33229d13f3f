import { AppError, toAppError, unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { Clock } from '@quicksale/shared/process';
import type { LedgerRefusal, StockLedger } from '@quicksale/shared/stock-ledger';
import { standingSettings } from '../sales/sale.ts';
import type { SaleStore } from '../sales/sale-store.ts';
import type { MovementStore } from '../stock/movement.ts';
import type { Product } from './product.ts';
import type { ProductStore } from './product-store.ts';

export interface FinishDeps {
  products: ProductStore;
  sales: SaleStore;
  movements: Pick<MovementStore, 'insert'>;
  ledger: Pick<StockLedger, 'putSale' | 'raise'>;
}

type Step = (deps: FinishDeps, product: Product) => Promise<void>;

const ensureSale: Step = ({ sales }, product) =>
  sales.createStanding(product.merchantId, product.createdAt);

/**
 * All of this happens in the standing sale, whose id is the merchant's, whatever sale the product is
 * in by now. Prices are read after the version was raised: whoever has the higher version has read every
 * product that a lower one was raised for, so it does not matter which call reaches the ledger.
 */
const putSale: Step = async ({ sales, products, ledger }, product) => {
  const sale = await sales.raiseSettingsVersion(product.merchantId);
  const prices = await products.listPrices(product.merchantId);
  refuse(await ledger.putSale(standingSettings(sale, prices), !sale.ledgerReady));
  // Before any unit of the sale can be sold: a ledger that forgets it later has lost it.
  if (!sale.ledgerReady) await sales.markLedgerReady(sale.id);
};

const recordMovement: Step = async ({ movements }, product) => {
  if (product.initialStock === 0) return;
  await movements.insert({
    id: `${product.id}:initial`,
    saleId: product.merchantId,
    productId: product.id,
    firstUnit: 1,
    lastUnit: product.initialStock,
    reason: 'initial',
    by: product.merchantId,
    at: product.createdAt,
  });
};

const raise: Step = async ({ ledger }, product) =>
  refuse(await ledger.raise(product.merchantId, product.id, product.initialStock));

const markFinished: Step = ({ products }, product) => products.markFinished(product);

/** What makes a stored product sellable at its price. Each step is harmless when done again. */
export const finishingSteps: readonly Step[] = [
  ensureSale,
  putSale,
  recordMovement,
  raise,
  markFinished,
];

/** Does what is left of a product's creation or new price: MongoDB first, the ledger follows. */
export async function finishProduct(deps: FinishDeps, product: Product): Promise<void> {
  for (const step of finishingSteps) await step(deps, product);
}

function refuse(answer: 'put' | 'already' | 'raised' | LedgerRefusal): void {
  switch (answer) {
    case 'put':
    case 'raised':
    case 'already':
      return;
    case 'fenced':
      throw new AppError('sale-fenced');
    case 'not_admitted':
      throw unavailable('The stock ledger is being checked');
    default:
      return answer satisfies never;
  }
}

/** Younger ones are still being worked on by the request that made them. */
const pendingForMs = 2_000;
const perRound = 500;

/** Finishes products and prices that a crash or an absent store left pending. */
export async function finishPending(
  deps: FinishDeps & { clock: Clock; log: Logger },
): Promise<void> {
  const before = new Date(deps.clock.now() - pendingForMs);
  for (const product of await deps.products.findPending(before, perRound)) {
    try {
      await finishProduct(deps, product);
      deps.log.info({ productId: product.id }, 'brought a product to the ledger');
    } catch (error) {
      // A sale under repair must not keep the others waiting; a store that is away would.
      if (toAppError(error).code !== 'sale-fenced') throw error;
      deps.log.debug({ err: error, productId: product.id }, 'a product waits for its sale');
    }
  }
}
