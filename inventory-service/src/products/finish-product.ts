import { toAppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { Clock } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { requireDone } from '../ledger-answers.ts';
import { putStanding } from '../sales/put-standing.ts';
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
 * in by now.
 */
const putSale: Step = (deps, product) => putStanding(deps, product.merchantId);

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
  requireDone(await ledger.raise(product.merchantId, product.id, product.initialStock));

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
