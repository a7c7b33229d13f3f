import { z } from 'zod';
import { entityTag } from '@quicksale/shared/http';
import { toWire } from '@quicksale/shared/money';
import type { ShownStock } from '@quicksale/shared/stock-ledger';
import { objectId, readStock, type StockReader } from '../products/product-answer.ts';
import { saleState, saleStates, type TimedSale } from './timed-sale.ts';

const units = z.number().int().nullable();

/** A timed sale in an answer; its stock is the ledger's at this moment, null when not known. */
export const saleReply = z
  .object({
    _id: objectId,
    merchantId: objectId,
    name: z.string(),
    state: z.enum(saleStates),
    opensAt: z.string(),
    closesAt: z.string(),
    perBuyerLimit: z.number().int(),
    holdMs: z.number().int(),
    durability: z.enum(['safe', 'fast']),
    currency: z.string(),
    items: z.array(
      z.object({
        productId: objectId,
        sku: z.string(),
        name: z.string(),
        price: z.number(),
        stock: units,
        reserved: units,
        available: units,
      }),
    ),
    version: z.number().int(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Sale' });

/** Sales as clients see them, with all their stock read in one round trip. */
export async function saleAnswers(ledger: StockReader, sales: readonly TimedSale[], nowMs: number) {
  const places = sales.flatMap(({ id, items }) =>
    items.map(({ productId }) => ({ id: productId, saleId: id })),
  );
  const stock = (await readStock(ledger, places)) ?? [];
  let at = 0;
  return sales.map((sale) => saleAnswer(sale, stock.slice(at, (at += sale.items.length)), nowMs));
}

function saleAnswer(sale: TimedSale, stock: readonly (ShownStock | null)[], nowMs: number) {
  const state = saleState(sale, nowMs) ?? 'finished';
  const shown = stock.flatMap((line) => (line ? [line.stock, line.available] : []));
  return {
    // The state changes with the time, without a new version.
    headers: {
      ETag: entityTag(sale.settingsVersion, saleStates.indexOf(state), ...shown),
    },
    body: {
      _id: sale.id,
      merchantId: sale.merchantId,
      name: sale.name,
      state,
      opensAt: sale.opensAt.toISOString(),
      closesAt: sale.closesAt.toISOString(),
      perBuyerLimit: sale.perBuyerLimit,
      holdMs: sale.holdMs,
      durability: sale.durability,
      currency: sale.currency,
      items: sale.items.map(({ productId, sku, name, price }, index) => ({
        productId,
        sku,
        name,
        price: toWire(price),
        stock: stock[index]?.stock ?? null,
        reserved: stock[index]?.reserved ?? null,
        available: stock[index]?.available ?? null,
      })),
      version: sale.settingsVersion,
      createdAt: sale.createdAt.toISOString(),
      updatedAt: sale.updatedAt.toISOString(),
    },
  };
}
