/** A product as MongoDB has it, with its id as text. Money in minor units. */
export interface Product {
  id: string;
  merchantId: string;
  /** The sale that it is sold in: its merchant's standing sale, unless a timed sale has it. */
  saleId: string;
  saleChangedAt: Date;
  /** Sales of the last day that it was in before: keys of orders made there are still alive. */
  formerSales?: readonly { saleId: string; leftAt: Date }[];
  /** The unfinished timed sale that has claimed it. */
  claimedBy?: string;
  /** What it costs in the timed sale that it is sold in. */
  salePrice?: number;
  sku: string;
  name: string;
  description: string;
  category: string;
  price: number;
  originalPrice?: number;
  currency: string;
  archived: boolean;
  /** Units that it was created with; later stock comes by movements. */
  initialStock: number;
  /** Set until the ledger has the product and its price: a runner finishes what a crash left. */
  pendingSince?: Date;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** What a merchant says of a new product. */
export interface NewProduct {
  merchantId: string;
  sku: string;
  name: string;
  description: string;
  category: string;
  price: number;
  originalPrice?: number;
  currency: string;
  stock: number;
}

/** What a merchant may change; null takes an original price away. */
export interface ProductChange {
  name?: string;
  description?: string;
  category?: string;
  price?: number;
  originalPrice?: number | null;
}

/** A new product in its merchant's standing sale, whose id is the merchant's. */
export function draftProduct(given: NewProduct, made: { id: string; at: Date }): Product {
  const { stock, ...facts } = given;
  return {
    ...facts,
    id: made.id,
    saleId: given.merchantId,
    saleChangedAt: made.at,
    archived: false,
    initialStock: stock,
    pendingSince: made.at,
    version: 1,
    createdAt: made.at,
    updatedAt: made.at,
  };
}

/** What a buyer pays at present. */
export const currentPrice = ({ price, salePrice }: Pick<Product, 'price' | 'salePrice'>): number =>
  salePrice ?? price;

/** Keys of orders live so long. */
const keyLifeMs = 24 * 3_600_000;

/** The sales that a product has left within a day, once it leaves this one. */
export function formerSalesAt(product: Product, at: Date): { saleId: string; leftAt: Date }[] {
  const alive = (product.formerSales ?? []).filter(
    ({ leftAt }) => at.getTime() - leftAt.getTime() < keyLifeMs,
  );
  return [...alive, { saleId: product.saleId, leftAt: at }];
}
