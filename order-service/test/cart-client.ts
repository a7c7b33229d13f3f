import type supertest from 'supertest';
import type { OrderClient } from './order-fixture.ts';

/** An item of a cart, as its owner sees it. */
export interface ShownItem {
  productId: string;
  quantity: number;
  unitPrice: number;
  priceWas?: number;
  available: number | null;
  isSold: boolean;
  holdId?: string;
}

export interface ShownCart {
  items: ShownItem[];
  subtotals: { currency: string; amount: number }[];
}

/** What a buyer can do with his cart. */
export interface CartClient {
  read(): Promise<ShownCart>;
  put(item: { productId: string; quantity?: number; holdId?: string }): supertest.Test;
  set(productId: string, quantity: number): supertest.Test;
  remove(productId: string): supertest.Test;
  empty(): supertest.Test;
  checkOut(key: string, body?: object): supertest.Test;
}

/** The cart of one buyer, through one service. */
export function cartOf(
  { request }: Pick<OrderClient, 'request'>,
  userId: string,
  token = `user-${userId}`,
): CartClient {
  const asBuyer = (test: supertest.Test) => test.set('Authorization', `Bearer ${token}`);
  return {
    read: async () => (await asBuyer(request.get('/api/cart')).expect(200)).body as ShownCart,
    put: ({ quantity = 1, ...item }) =>
      asBuyer(request.post('/api/cart/items')).send({ quantity, ...item }),
    set: (productId, quantity) =>
      asBuyer(request.put(`/api/cart/items/${productId}`)).send({ quantity }),
    remove: (productId) => asBuyer(request.delete(`/api/cart/items/${productId}`)),
    empty: () => asBuyer(request.delete('/api/cart')),
    checkOut: (key, body) =>
      asBuyer(request.post('/api/cart/checkout')).set('Idempotency-Key', key).send(body),
  };
}

/** What a cart has, product by product. */
export const unitsIn = ({ items }: { items: readonly ShownItem[] }): Record<string, number> =>
  Object.fromEntries(items.map(({ productId, quantity }) => [productId, quantity]));

/** An answer in short: its status, and its code when it is a refusal. */
export const codeOf = ({ status, body }: { status: number; body: { code?: string } }): string =>
  `${status} ${body.code ?? ''}`.trim();
