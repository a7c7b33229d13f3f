import { saleOfItems } from '@quicksale/shared/catalogue';
import { idempotencyDigest, requestFingerprint } from '@quicksale/shared/idempotency';
import type { Clock, Random } from '@quicksale/shared/process';
import type {
  HoldRecord,
  ReserveRefusal,
  ReserveRequest,
  StockLedger,
} from '@quicksale/shared/stock-ledger';
import type { ProductStore } from '../products/product-store.ts';

export interface PlaceHoldDeps {
  products: Pick<ProductStore, 'findByIds'>;
  ledger: Pick<StockLedger, 'reserve'>;
  clock: Clock;
  random: Random;
}

export interface PlaceHoldInput {
  userId: string;
  /** The Idempotency-Key; '': none, so each request is for a hold of its own. */
  key: string;
  /** Method and path pattern: part of the key's scope. */
  route: string;
  items: readonly { productId: string; quantity: number }[];
  ttlSeconds: number;
}

export type PlaceHoldResult =
  | { status: 'held'; saleId: string; record: HoldRecord; replayed: boolean }
  | { status: 'mixed_sales' }
  /** A key whose hold died twice within one request: another request is at it. */
  | { status: 'busy' }
  | ReserveRefusal;

/**
 * Puts units aside for a buyer until a deadline, without an order. With a key, a repeat gets the same
 * hold; when that is gone (used, given back, past its deadline), a new one. The key belongs to the
 * sale in which the products are: it ends when they change sales.
 */
export async function placeHold(
  deps: PlaceHoldDeps,
  input: PlaceHoldInput,
): Promise<PlaceHoldResult> {
  const first = await tryOnce(deps, input);
  if (first.status !== 'unknown_product' && first.status !== 'closed') return first;
  // The product may have moved to another sale between the two stores: they are asked anew.
  return tryOnce(deps, input);
}

async function tryOnce(deps: PlaceHoldDeps, input: PlaceHoldInput): Promise<PlaceHoldResult> {
  const found = await deps.products.findByIds(input.items.map(({ productId }) => productId));
  const known = new Map(found.map((product) => [product.id, product]));
  const sale = saleOfItems(known, input.items);
  if (sale.status !== 'found') return sale;
  const { saleId } = sale;
  const request = holdRequest(deps, input);
  let reply = await reserve(deps, saleId, request);
  if (reply.status === 'replayed' && !reply.record)
    reply = await reserve(deps, saleId, { ...request, replaces: reply.orderId });
  switch (reply.status) {
    case 'reserved':
      return { status: 'held', saleId, record: reply.record, replayed: false };
    case 'replayed':
      return reply.record
        ? { status: 'held', saleId, record: reply.record, replayed: true }
        : { status: 'busy' };
    case 'ask_earlier':
      throw new Error('only an order is told to ask elsewhere');
    default:
      return reply;
  }
}

async function reserve({ ledger }: PlaceHoldDeps, saleId: string, request: ReserveRequest) {
  const [reply] = await ledger.reserve(saleId, [request]);
  if (!reply) throw new Error('the ledger gave no answer');
  return reply;
}

function holdRequest({ clock, random }: PlaceHoldDeps, input: PlaceHoldInput): ReserveRequest {
  const { userId, key, route, items, ttlSeconds } = input;
  const orderId = random.objectId(clock.now());
  // No client can send what stands for a missing key: it is of another scope.
  const scope = key ? { route, key } : { route: `${route} without a key`, key: orderId };
  return {
    orderId,
    userId,
    kind: 'bare',
    digest: idempotencyDigest({ userId, ...scope }),
    fingerprint: requestFingerprint({ items, ttlSeconds }),
    ttlMs: ttlSeconds * 1_000,
    facts: '',
    items,
  };
}
