import { toWire } from '@quicksale/shared/money';
import type { ShownStock } from '@quicksale/shared/stock-ledger';
import { currentPrice, type Product } from './product.ts';

/** A product as clients see it. Its stock is the ledger's at this moment; null: not known. */
export function productView(product: Product, stock: ShownStock | null) {
  const usualPrice = product.salePrice === undefined ? product.originalPrice : product.price;
  return {
    _id: product.id,
    merchantId: product.merchantId,
    saleId: product.saleId,
    sku: product.sku,
    name: product.name,
    description: product.description,
    category: product.category,
    price: toWire(currentPrice(product)),
    // In a timed sale the usual price is what buyers compare with.
    ...(usualPrice !== undefined && { originalPrice: toWire(usualPrice) }),
    currency: product.currency,
    stock: stock?.stock ?? null,
    reserved: stock?.reserved ?? null,
    available: stock?.available ?? null,
    archived: product.archived,
    version: product.version,
    createdAt: product.createdAt.toISOString(),
    updatedAt: product.updatedAt.toISOString(),
  };
}
