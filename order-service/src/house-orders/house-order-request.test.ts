import { describe, expect, it } from '@jest/globals';
import { houseOrderRequest, mostHouseUnits } from './house-order-request.ts';

const id = (digit: string) => digit.repeat(24);
const request = {
  operationId: 'damage:1',
  saleId: id('a'),
  by: id('b'),
  reason: 'damage',
  items: [{ productId: id('c'), quantity: 1 }],
};
const twoItems = [...request.items, { productId: id('d'), quantity: 1 }];

describe('the request for an order of the house', () => {
  it.each([
    {},
    { operationId: 'x'.repeat(200) },
    { items: twoItems },
    { items: [{ productId: id('c'), quantity: mostHouseUnits }] },
    { to: id('e') },
    { holdId: id('e'), holdUserId: id('f') },
  ])('takes %j', (change) => {
    expect(houseOrderRequest.safeParse({ ...request, ...change }).success).toBe(true);
  });

  it.each([
    [{ operationId: '' }, 'operationId'],
    [{ operationId: 'x'.repeat(201) }, 'operationId'],
    [{ by: 'somebody' }, 'by'],
    [{ reason: 'whim' }, 'reason'],
    [{ items: [] }, 'items'],
    [{ items: [...request.items, ...request.items] }, 'items'],
    [{ items: [{ productId: id('c'), quantity: 0 }] }, 'items.0.quantity'],
    [{ items: [{ productId: id('c'), quantity: 1.5 }] }, 'items.0.quantity'],
    [{ items: twoItems.map((item) => ({ ...item, quantity: mostHouseUnits })) }, 'items'],
    [{ to: id('e'), items: twoItems }, 'items'],
    [{ to: request.saleId }, 'to'],
    [{ holdId: id('e') }, 'holdUserId'],
    [{ holdUserId: id('e') }, 'holdUserId'],
    [{ price: 1 }, ''],
  ])('refuses %j', (change, path) => {
    const { error } = houseOrderRequest.safeParse({ ...request, ...change });
    expect(error?.issues.map((issue) => issue.path.join('.'))).toContain(path);
  });
});
