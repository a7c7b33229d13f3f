import { saleOfItems, type Catalogue, type CatalogueProduct } from '@quicksale/shared/catalogue';
import { idempotencyDigest, requestFingerprint } from '@quicksale/shared/idempotency';
import type { OrderStore } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import { printHoldId, type HoldName, type StockLedger } from '@quicksale/shared/stock-ledger';
import type { Pricing } from '../pricing/pricing.ts';
import { earlierSales, findEarlierSale } from './find-earlier-sale.ts';
import type { OrderRequest } from './order-request.ts';
import type { KeyFacts } from './replay-order.ts';
import {
  isLedgerRefusal,
  reserveOnce,
  type ReserveOrderResult,
  type WantedOrder,
} from './reserve-order.ts';
import {
  reservePriced,
  type ReservePricedDeps,
  type ReservePricedResult,
} from './reserve-priced.ts';

export interface PlaceOrderDeps extends ReservePricedDeps {
  catalogue: Catalogue;
  orders: OrderStore;
  pricing: Pricing;
  ledger: ReservePricedDeps['ledger'] & Pick<StockLedger, 'readHolds' | 'findKeys'>;
  /** Hears of every order that a sale refused for good, for its books. */
  noteRefusal?: (saleId: string, refusal: PlaceOrderResult) => void;
}

export interface PlaceOrderInput {
  userId: string;
  /** The Idempotency-Key. */
  key: string;
  /** Method and path pattern: part of the key's scope. */
  route: string;
  body: OrderRequest;
}

export type PlaceOrderResult = ReservePricedResult | { status: 'mixed_sales' };

/**
 * Places an order: the ledger decides, then MongoDB remembers, then the buyer is told. A repeat with
 * the same key takes the same road and ends with the same answer, whatever was lost on the way.
 * Throws AppError `dependency-unavailable` when a store is away; the same key may then be sent again.
 */
export async function placeOrder(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
): Promise<PlaceOrderResult> {
  faultPoint('after-request');
  // Nobody's units are taken for an order that cannot be written.
  if (!deps.orders.isReachable()) return { status: 'not_recorded' };
  const key: KeyFacts = {
    digest: idempotencyDigest({ userId: input.userId, route: input.route, key: input.key }),
    fingerprint: requestFingerprint(input.body),
  };
  let tried = await tryOnce(deps, input, key);
  if (tried.result.status === 'unknown_product' || tried.result.status === 'closed') {
    // The product may have moved to another sale since its mapping was cached.
    for (const { productId } of input.body.items) deps.catalogue.forget(productId);
    const again = await tryOnce(deps, input, key);
    // On its way back from a sale that has just ended it is in no other one yet.
    const isBetween = tried.result.status === 'closed' && again.result.status === 'unknown_product';
    if (!isBetween) tried = again;
  }
  if (!isRefusal(tried.result)) return tried.result;
  // Nobody is refused under a key that names an order of an earlier sale.
  const earlier = tried.earlierAsked ? undefined : await answerEarlier(deps, input, key, tried);
  const answer = earlier ?? tried.result;
  if (tried.askedSaleId !== undefined && isRefusal(answer))
    deps.noteRefusal?.(tried.askedSaleId, answer);
  return answer;
}

interface Tried extends Asked {
  result: PlaceOrderResult;
  /** Earlier sales have been asked for the key. */
  earlierAsked?: boolean;
}

interface Asked {
  /** What the catalogue has of the items. */
  known: ReadonlyMap<string, CatalogueProduct>;
  /** The sale whose ledger answered; undefined when none was asked. */
  askedSaleId?: string;
}

/** Reserves in the sale that the items are in now. */
async function tryOnce(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
  key: KeyFacts,
): Promise<Tried> {
  const { items } = input.body;
  const known = await deps.catalogue.find(items.map(({ productId }) => productId));
  const found = saleOfItems(known, items);
  if (found.status !== 'found') return { result: found, known };
  const { saleId, products } = found;
  const asked = { known, askedSaleId: saleId };
  let earlierAsked = false;
  const askEarlier = async () => {
    earlierAsked = true;
    return answerEarlier(deps, input, key, asked);
  };
  const mayBeEarlier = earlierSales(known.values(), deps.clock.now(), saleId).length > 0;
  const wanted = {
    ...(await wantedIn(deps, input, key, saleId, products)),
    ...(mayBeEarlier && { askEarlier }),
  };
  const result = await reservePriced(deps, wanted, input.body.discountCode);
  return { ...asked, result, earlierAsked };
}

/**
 * The answer of an order that was made before its products came into the sale that they are in now:
 * it is given where the order was made. Undefined when there is none.
 */
async function answerEarlier(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
  key: KeyFacts,
  { known, askedSaleId }: Asked,
): Promise<ReserveOrderResult | undefined> {
  const { digest } = key;
  const earlier = await findEarlierSale(deps, known.values(), { digest, askedSaleId });
  if (earlier.status === 'none') return undefined;
  if (earlier.status !== 'found') return earlier;
  const products = input.body.items.flatMap(({ productId }) => known.get(productId) ?? []);
  const wanted = await wantedIn(deps, input, key, earlier.saleId, products);
  const attempt = await reserveOnce(deps, wanted);
  // A key that is dead there, or came to its end meanwhile, stands in nobody's way.
  return attempt.status === 'dead_key' || isRefusal(attempt) ? undefined : attempt;
}

/** Whether a buyer is told for good that there is no order. */
function isRefusal({ status }: Pick<PlaceOrderResult, 'status'>): boolean {
  switch (status) {
    case 'mixed_sales':
    case 'unknown_discount':
    case 'discount_used_up':
      return true;
    default:
      return isLedgerRefusal(status);
  }
}

/** The order that is asked for, in one sale. */
async function wantedIn(
  deps: PlaceOrderDeps,
  { userId, key: givenKey, body }: PlaceOrderInput,
  key: KeyFacts,
  saleId: string,
  products: readonly CatalogueProduct[],
): Promise<WantedOrder> {
  const { holdId, items, shippingAddress, billingAddress } = body;
  const hold = holdId && (await nameHold(deps, userId, saleId, holdId));
  const merchantId = products[0]?.merchantId;
  const pricing = merchantId && (await deps.pricing.termsOf(merchantId));
  return {
    kind: 'order',
    saleId,
    userId,
    key,
    items: products.map(({ id, sku, name }) => ({
      productId: id,
      sku,
      name,
      quantity: items.find(({ productId }) => productId === id)?.quantity ?? 0,
    })),
    facts: {
      currency: products[0]?.currency ?? '',
      ...(merchantId && { merchantId }),
      ...(pricing && { pricing }),
      key: givenKey,
      ...(shippingAddress && { shippingAddress }),
      ...(billingAddress && { billingAddress }),
    },
    ...(hold && { hold }),
  };
}

/**
 * A hold as the ledger wants it named: with all of its products. Whether it may be used is for the
 * ledger to say, after it has looked at the key: an order that took its hold is still answered.
 */
async function nameHold(
  { ledger }: Pick<PlaceOrderDeps, 'ledger'>,
  userId: string,
  saleId: string,
  hold: HoldName,
): Promise<NonNullable<WantedOrder['hold']>> {
  // An id of 48 digits names no record: a hold of another sale is not there in this one.
  if (hold.saleId !== saleId) return { id: printHoldId(hold), productIds: [] };
  const held = await ledger.readHolds(saleId, [hold.recordId]);
  const record = typeof held === 'object' ? held.records[0] : undefined;
  const isOwn = record?.kind === 'bare' && record.userId === userId;
  return { id: hold.recordId, productIds: isOwn ? Object.keys(record.units) : [] };
}
