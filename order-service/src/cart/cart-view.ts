import { z } from 'zod';
import { toAppError } from '@quicksale/shared/errors';
import { toWire } from '@quicksale/shared/money';
import type { Cart, CartItem } from './cart.ts';
import { readProducts, type ReadProductsDeps, type SoldProduct } from './read-products.ts';

const cartItem = z
  .object({
    productId: z.string(),
    /** Null where nothing is known of the product any more. */
    saleId: z.string().nullable(),
    sku: z.string().nullable(),
    name: z.string().nullable(),
    currency: z.string().nullable(),
    quantity: z.number().int(),
    unitPrice: z.number(),
    /** What it cost when you were last told; only where that has changed. */
    priceWas: z.number().optional(),
    subtotal: z.number(),
    /** Units left; null where that is not known. */
    available: z.number().int().nullable(),
    /** False: it is not sold any more. */
    isSold: z.boolean(),
    holdId: z.string().optional(),
    addedAt: z.iso.datetime(),
  })
  .meta({ id: 'CartItem' });

/** A cart in an answer. */
export const cartReply = z
  .object({
    items: z.array(cartItem),
    /** Of what is sold, before tax, shipping and discounts; merchants may have other currencies. */
    subtotals: z.array(z.object({ currency: z.string(), amount: z.number() })),
    version: z.number().int(),
  })
  .meta({ id: 'Cart' });

/**
 * A cart with the prices and the stock of this moment. While the ledger is away it has the prices
 * that the buyer was last told, and no stock.
 */
export async function viewCart(
  deps: ReadProductsDeps,
  cart: Cart,
): Promise<z.input<typeof cartReply>> {
  const ids = cart.items.map(({ productId }) => productId);
  const products = await readWithoutLedger(deps, ids);
  const shown = cart.items.map((item) => ({ item, product: products.get(item.productId) }));
  const subtotals = new Map<string, number>();
  for (const { item, product } of shown)
    if (product && !product.archived) {
      const { currency } = product;
      const amount = priceNow(item, product) * item.quantity;
      subtotals.set(currency, (subtotals.get(currency) ?? 0) + amount);
    }
  return {
    items: shown.map(({ item, product }) => viewItem(item, product)),
    subtotals: [...subtotals].map(([currency, amount]) => ({ currency, amount: toWire(amount) })),
    version: cart.version,
  };
}

async function readWithoutLedger(
  deps: ReadProductsDeps,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SoldProduct>> {
  if (ids.length === 0) return new Map();
  try {
    return await readProducts(deps, ids);
  } catch (thrown) {
    if (toAppError(thrown).kind !== 'unavailable') throw thrown;
    // It may be the catalogue that is away: then this throws again.
    const known = await deps.catalogue.find(ids);
    return new Map([...known].map(([id, product]) => [id, { ...product, offer: null }]));
  }
}

const priceNow = (item: CartItem, product: SoldProduct | undefined): number =>
  product?.offer?.price ?? item.price;

function viewItem(item: CartItem, product: SoldProduct | undefined): z.input<typeof cartItem> {
  const { productId, quantity, price, holdId, addedAt } = item;
  const now = priceNow(item, product);
  return {
    productId,
    saleId: product?.saleId ?? null,
    sku: product?.sku ?? null,
    name: product?.name ?? null,
    currency: product?.currency ?? null,
    quantity,
    unitPrice: toWire(now),
    ...(now !== price && { priceWas: toWire(price) }),
    subtotal: toWire(now * quantity),
    available: product?.offer?.available ?? null,
    isSold: product !== undefined && !product.archived,
    ...(holdId && { holdId }),
    addedAt: addedAt.toISOString(),
  };
}
