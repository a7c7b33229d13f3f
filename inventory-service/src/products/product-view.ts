import { toWire } from '@quicksale/shared/money';
import type { ShownStock } from '@quicksale/shared/stock-ledger';
import type { Product } from './product.ts';

/** A product as clients see it. Its stock is the ledger's at this moment; null: not known. */
export function productView(product: Product, stock: ShownStock | null) {
  return {
    _id: product.id,
    merchantId: product.merchantId,
    saleId: product.saleId,
    sku: product.sku,
    name: product.name,
    description: product.description,
    category: product.category,
    price: toWire(product.price),
    ...(product.originalPrice !== undefined && { originalPrice: toWire(product.originalPrice) }),
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
