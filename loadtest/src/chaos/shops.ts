import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../seeded-random.ts';
import type { ChaosSystem } from './system.ts';

export const shopKinds = ['standing', 'limited', 'paid', 'fast', 'window'] as const;
export type ShopKind = (typeof shopKinds)[number];

/** A sale that buyers come to. */
export interface Shop {
  kind: ShopKind;
  merchantId: string;
  /** The merchant's id in a standing sale. */
  saleId: string;
  productIds: readonly string[];
  perBuyerLimit: number;
  holdMs: number;
}

/** Little: what is scarce is fought for. */
const stockOfProduct = 30;
const allotted = 15;
/** Orders that are not paid so soon expire. */
const holdMs = 4_000;
const hour = 3_600_000;

interface Terms {
  opensInMs: number;
  closesInMs: number;
  perBuyerLimit: number;
  holdMs: number;
  durability: 'safe' | 'fast';
}

const always = { opensInMs: -1_000, closesInMs: 3 * hour, perBuyerLimit: 0, holdMs: 0 } as const;
const terms: Readonly<Record<Exclude<ShopKind, 'standing'>, Terms>> = {
  limited: { ...always, perBuyerLimit: 3, durability: 'safe' },
  paid: { ...always, holdMs, durability: 'safe' },
  fast: { ...always, durability: 'fast' },
  window: { ...always, opensInMs: 4_000, closesInMs: 24_000, durability: 'safe' },
};

/** Opens one shop of each kind, before there is any fault. */
export async function openShops(system: ChaosSystem, random: SeededRandom): Promise<Shop[]> {
  const shops: Shop[] = [];
  for (const kind of shopKinds) {
    const merchantId = random.hex(24);
    const token = system.signIn('MERCHANT', merchantId);
    const post = async (path: string, body: object) => {
      const response = await fetch(`${system.gatewayUrl}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      if (response.status !== 201) throw new Error(`${path} answered ${response.status}: ${text}`);
      return JSON.parse(text) as Record<string, unknown>;
    };
    const productIds: string[] = [];
    for (const name of kind === 'standing' ? ['lamp', 'bulb'] : ['lamp']) {
      const made = await post('/api/inventory/products', {
        ...{ name, description: `A ${name}`, price: 49.99, stock: stockOfProduct },
        ...{ sku: `${kind}-${name}`, category: 'lamps' },
      });
      productIds.push((made.product as { _id: string })._id);
    }
    const shop = { kind, merchantId, productIds, perBuyerLimit: 0, holdMs: 0 };
    if (kind === 'standing') {
      shops.push({ ...shop, saleId: merchantId });
      continue;
    }
    const { opensInMs, closesInMs, ...rest } = terms[kind];
    const sale = await post('/api/sales', {
      ...{ name: `Sale ${kind}`, ...rest },
      opensAt: new Date(Date.now() + opensInMs).toISOString(),
      closesAt: new Date(Date.now() + closesInMs).toISOString(),
      items: productIds.map((productId) => ({ productId, price: 19.99, stock: allotted })),
    });
    shops.push({ ...shop, ...rest, saleId: String(sale._id) });
  }
  // order-service remembers for a moment which sale a product was in.
  await sleep(500);
  return shops;
}
