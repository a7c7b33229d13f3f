import { AppError } from '@quicksale/shared/errors';
import { faultPoint } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { requireDone } from '../ledger-answers.ts';
import type { ProductStore } from '../products/product-store.ts';
import { allotUnits, availableUnits, returnUnits, type MoveDeps } from './move-units.ts';
import { putStanding, type PutStandingDeps } from './put-standing.ts';
import { SaleChanged, saveOpen, saveSale } from './save-sale.ts';
import { ended, timedSettings, withItem, type Refusal, type TimedSale } from './timed-sale.ts';
import type { TimedSaleStore } from './timed-sale-store.ts';

export interface AdvanceDeps extends MoveDeps, PutStandingDeps {
  timedSales: Pick<TimedSaleStore, 'find' | 'save'>;
  products: MoveDeps['products'] &
    PutStandingDeps['products'] &
    Pick<ProductStore, 'findByIds' | 'claim' | 'dropClaim' | 'moveToSale'>;
  ledger: MoveDeps['ledger'] & PutStandingDeps['ledger'] & Pick<StockLedger, 'clock'>;
}

/** Rounds of reading the sale again because somebody else works on it too. */
const mostRounds = 50;

/**
 * Does what is left to do for a sale at present; the one road for requests and for the runner. Each
 * step is written down or harmless when done again, so a process may die anywhere and several may
 * walk it at once. Resolves to the sale as it is then. Throws AppError `dependency-unavailable`,
 * `sale-fenced` or `overloaded` when it cannot go on now: the runner comes again.
 */
export async function advanceSale(deps: AdvanceDeps, given: TimedSale): Promise<TimedSale> {
  let sale = given;
  for (let round = 1; ; round += 1) {
    try {
      return await advanceOnce(deps, sale);
    } catch (error) {
      if (!(error instanceof SaleChanged)) throw error;
      if (round === mostRounds)
        throw new AppError('overloaded', { message: 'The sale keeps changing: look again later' });
      sale = (await deps.timedSales.find(sale.id)) ?? sale;
    }
  }
}

async function advanceOnce(deps: AdvanceDeps, sale: TimedSale): Promise<TimedSale> {
  switch (sale.stage) {
    case 'preparing':
      return prepare(deps, sale);
    case 'ready':
    case 'paused':
      return keepUp(deps, sale);
    case 'closing':
    case 'refusing':
      return giveBack(deps, sale);
    case 'finished':
    case 'refused':
      return collectLate(deps, sale);
    default:
      return sale.stage satisfies never;
  }
}

/** Brings a new sale to life: claim, settings, units, and last of all the products. */
async function prepare(deps: AdvanceDeps, given: TimedSale): Promise<TimedSale> {
  // In one order for all, lest sales of crossed products refuse each other.
  for (const productId of given.items.map((item) => item.productId).sort()) {
    const claim = await deps.products.claim(productId, given.id, now(deps));
    if (claim === 'taken') return refuse(deps, given, { code: 'product-in-sale', productId });
  }
  faultPoint('after-sale-claimed');
  let sale = await putSettings(deps, given);
  faultPoint('after-sale-put');
  await putStanding(deps, sale.merchantId);
  faultPoint('after-marked-away');
  // Away from the standing sale nobody else can take these units; so nothing moves in vain.
  const products = await findShort(deps, sale);
  if (products.length > 0) return refuse(deps, sale, { code: 'insufficient-stock', products });
  const allotted = await allotUnits(deps, sale);
  sale = allotted.sale;
  if (allotted.kind === 'short') {
    const { productId, available } = allotted;
    return refuse(deps, sale, {
      code: 'insufficient-stock',
      products: [{ productId, available }],
    });
  }
  await moveProducts(deps, sale, sale.id);
  faultPoint('after-product-moved');
  return keepUp(deps, await saveOpen(deps, { ...sale, stage: 'ready' }));
}

async function refuse(deps: AdvanceDeps, sale: TimedSale, refusal: Refusal): Promise<TimedSale> {
  return giveBack(deps, await saveOpen(deps, { ...sale, stage: 'refusing', refusal }));
}

/** Items that the standing sale has too few units for. */
async function findShort(deps: AdvanceDeps, sale: TimedSale) {
  const found = await Promise.all(
    sale.items.map(async ({ productId, stock, allotted, round }) => ({
      productId,
      available: await availableUnits(deps, { saleId: sale.merchantId, productId }),
      // A round that is under way may have taken its units already.
      wanted: stock - allotted - (round?.units ?? 0),
    })),
  );
  return found
    .filter(({ available, wanted }) => available < wanted)
    .map(({ productId, available }) => ({ productId, available }));
}

/** A running sale: new settings and further units reach the ledger, and it ends in time. */
async function keepUp(deps: AdvanceDeps, given: TimedSale): Promise<TimedSale> {
  let sale = given;
  // By the ledger's clock, as for buyers: another one may be ahead of it.
  if ((await deps.ledger.clock(sale.id)) >= sale.closesAt.getTime())
    return giveBack(deps, await saveOpen(deps, ended(sale, deps.clock.now())));
  sale = await putSettings(deps, sale);
  // Their price is the sale's. Asked each time: a death in between leaves nothing else behind.
  await moveProducts(deps, sale, sale.id);
  for (;;) {
    const allotted = await allotUnits(deps, sale);
    sale = allotted.sale;
    if (allotted.kind === 'allotted') return saveSale(deps, { ...sale, runAt: sale.closesAt });
    // The sale wants no more of it than it got; its other items go on.
    sale = withItem(sale, allotted.productId, (item) => ({ ...item, stock: item.allotted }));
  }
}

/** The way back of `prepare`: products, what is left of their units, and last of all the claim. */
async function giveBack(deps: AdvanceDeps, given: TimedSale): Promise<TimedSale> {
  let sale = given;
  // A sale that the ledger was never told of has nothing to give back.
  if (sale.ledgerReady) {
    sale = await putSettings(deps, sale);
    await moveProducts(deps, sale, sale.merchantId);
    sale = await returnUnits(deps, sale);
  }
  await dropClaims(deps, sale);
  faultPoint('after-claim-dropped');
  await putStanding(deps, sale.merchantId);
  const stage = sale.stage === 'refusing' ? 'refused' : 'finished';
  return collectLate(deps, await saveOpen(deps, { ...sale, stage }));
}

/** Orders of the sale may still be cancelled or expire: their units go back as well. */
async function collectLate(deps: AdvanceDeps, given: TimedSale): Promise<TimedSale> {
  const sale = given.ledgerReady ? await returnUnits(deps, given) : given;
  // One who walked on while the sale was refused may have claimed its products anew.
  await dropClaims(deps, sale);
  const { runAt: _, ...rest } = sale;
  const next = (await hasUnits(deps, sale)) ? { runAt: nextLook(deps, sale) } : {};
  return saveSale(deps, { ...rest, ...next });
}

/**
 * Whether units of a sale are still in it: sold ones, and such as came back since they were looked
 * for. A ledger that does not say counts as one that has some.
 */
async function hasUnits({ ledger }: AdvanceDeps, sale: TimedSale): Promise<boolean> {
  const stock = await ledger.shownStock(
    sale.items.map(({ productId }) => ({ saleId: sale.id, productId })),
  );
  return sale.items.some(({ allotted }, index) => (stock[index]?.stock ?? allotted) > 0);
}

/**
 * Lets the products go, each from the standing sale and as it was read there: one who walks on with
 * what the sale was before cannot take it along again.
 */
async function dropClaims(deps: AdvanceDeps, sale: TimedSale): Promise<void> {
  for (;;) {
    const claimed = await findClaimed(deps, sale);
    if (claimed.length === 0) return;
    for (const product of claimed)
      if (product.saleId === sale.merchantId && product.salePrice === undefined)
        await deps.products.dropClaim(product, now(deps));
      else await deps.products.moveToSale(product, { saleId: sale.merchantId }, now(deps));
  }
}

const soonestMs = 2_000;
const latestMs = 600_000;

/** The longer a sale is over, the more rarely something comes back. */
function nextLook({ clock }: AdvanceDeps, sale: TimedSale): Date {
  const overMs = clock.now() - (sale.endedAt ?? sale.createdAt).getTime();
  return new Date(clock.now() + Math.min(Math.max(overMs / 20, soonestMs), latestMs));
}

/** Tells the ledger what it has not heard yet. Only the first time may it make the sale. */
async function putSettings(deps: AdvanceDeps, sale: TimedSale): Promise<TimedSale> {
  if (sale.putVersion === sale.settingsVersion) return sale;
  requireDone(await deps.ledger.putSale(timedSettings(sale), !sale.ledgerReady));
  return saveOpen(deps, { ...sale, putVersion: sale.settingsVersion, ledgerReady: true });
}

/** Has the products that this sale has claimed sold in one of its two sales. */
async function moveProducts(deps: AdvanceDeps, sale: TimedSale, saleId: string): Promise<void> {
  const prices = new Map(sale.items.map(({ productId, price }) => [productId, price]));
  for (;;) {
    const moving = (await findClaimed(deps, sale))
      .map((product) => ({
        product,
        to: { saleId, ...(saleId === sale.id && { salePrice: prices.get(product.id) ?? 0 }) },
      }))
      .filter(({ product, to }) => product.saleId !== saleId || product.salePrice !== to.salePrice);
    if (moving.length === 0) return;
    for (const { product, to } of moving) await deps.products.moveToSale(product, to, now(deps));
  }
}

const findClaimed = async ({ products }: AdvanceDeps, { id, items }: TimedSale) =>
  (await products.findByIds(items.map(({ productId }) => productId))).filter(
    ({ claimedBy }) => claimedBy === id,
  );

const now = ({ clock }: Pick<AdvanceDeps, 'clock'>) => new Date(clock.now());
