import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createMongoOrderStore, type Order } from '@quicksale/shared/orders';
import { givenOrder, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

let fixture: OrderFixture;
beforeAll(async () => {
  fixture = await startOrders();
});
afterAll(() => fixture?.stop());

const get = (token: string, path: string) =>
  fixture.request.get(path).set('Authorization', `Bearer ${token}`);
const hostile = `<script>alert("1")</script> & 'x'`;
const item = (name: string, unitPrice: number, quantity: number): Order['items'][number] => ({
  ...{ productId: newId(), sku: '=1+1', name, unitPrice, quantity },
});

async function givenStored(fields: Partial<Order> = {}): Promise<Order & { merchantId: string }> {
  const { outbox: _outbox, outboxAt: _at, ...order } = givenOrder();
  const place = { line1: '=cmd()', city: hostile, postalCode: '1', country: 'DE', name: '@Ann' };
  const stored = {
    ...order,
    merchantId: newId(),
    items: [item(hostile, 4_999, 2), item('Chair', 1_000, 3)],
    subtotal: 12_998,
    discount: 1_299,
    taxAmount: 2_223,
    shippingCost: 499,
    totalAmount: 14_421,
    pricing: {
      taxRate: 1_900,
      shipping: { flat: 499 },
      discount: { code: 'SAVE10', kind: 'percentage', value: 1_000 },
    },
    status: 'CONFIRMED',
    inventoryStatus: 'RESERVED',
    paymentStatus: 'PAID',
    shippingAddress: place,
    ...fields,
  } as const;
  const outcomes = await createMongoOrderStore(fixture.mongo).insertMany([stored]);
  expect(outcomes).toEqual([{ kind: 'inserted' }]);
  return stored;
}

const invoiceOf = ({ userId, id }: Order) => get(`user-${userId}`, `/api/orders/${id}/invoice`);
/** The amounts of the page in cents, by their names. */
const amountsOf = (page: string) =>
  Object.fromEntries(
    [...page.matchAll(/<th scope="row">([^<]*)<\/th><td class="sum">(-?[\d.]+) USD<\/td>/g)].map(
      ([, name = '', amount]) => [name, Math.round(Number(amount) * 100)],
    ),
  );

describe('GET /api/orders/:id/invoice', () => {
  it('is a page without scripts that nobody keeps', async () => {
    const order = await givenStored();
    const { status, headers, text } = await invoiceOf(order);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    const policy = headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    // The browser lets the style through by its digest.
    const [, style = ''] = /<style>([^]*)<\/style>/.exec(text) ?? [];
    expect(policy).toContain(createHash('sha256').update(style).digest('base64'));
    expect(text).toContain(`Invoice ${order.orderNumber}`);
    expect(text).toContain(order.merchantId);
    expect(text).not.toContain(order.idempotencyKey);
  });

  it('shows what people have written as they wrote it, and never as HTML', async () => {
    const number = `ORD"><img src=x onerror=alert(1)>${newId()}`;
    const { text } = await invoiceOf(await givenStored({ orderNumber: number }));
    expect(text).not.toContain('<script');
    expect(text).not.toContain('<img');
    expect(text).toContain('&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62; &#38; &#39;x&#39;');
  });

  it('has amounts that add up', async () => {
    const { text } = await invoiceOf(await givenStored());
    const amounts = amountsOf(text);
    expect(amounts).toEqual({
      ...{ Subtotal: 12_998, 'Discount SAVE10': -1_299, 'Tax 19 %': 2_223, Shipping: 499 },
      Total: 14_421,
    });
    const { Total = 0, ...parts } = amounts;
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(Total);
    const lines = [...text.matchAll(/<td class="sum">([\d.]+)<\/td><\/tr>/g)];
    const sums = lines.map(([, amount]) => Math.round(Number(amount) * 100));
    expect(sums).toEqual([9_998, 3_000]);
  });

  it('says what was cancelled and what is due then', async () => {
    const items = [item('Lamp', 1_000, 4)];
    const at = new Date();
    const cancelled = [{ productId: items[0]?.productId ?? '', quantity: 3 }];
    const step = { from: 'CONFIRMED', to: 'CONFIRMED', at, by: 'x', cancelled } as const;
    const { text } = await invoiceOf(
      await givenStored({
        ...{ items, subtotal: 4_000, discount: 0, taxAmount: 400, totalAmount: 4_899 },
        paymentStatus: 'PARTIALLY_REFUNDED',
        history: [
          { version: 1, from: null, to: 'PENDING', at, by: 'x' },
          { version: 2, ...step },
        ],
      }),
    );
    expect(text).toContain('3 of 4 cancelled');
    expect(text).toContain('refunded in part');
    expect(amountsOf(text)).toMatchObject({ Total: 4_899, 'Total now': 1_000 + 100 + 499 });
  });

  it.each([
    ['PENDING', 'AWAITING_PAYMENT', 'Pro forma, not paid'],
    ['FAILED', 'AWAITING_PAYMENT', 'Pro forma, not paid'],
    ['NONE', 'CONFIRMED', 'Pro forma: this order is not paid through the shop'],
    ['PAID', 'CONFIRMED', 'Paid'],
    ['REFUNDED', 'REFUNDED', 'Refunded'],
  ] as const)('says of a payment that is %s what it is', async (paymentStatus, status, said) => {
    const { text } = await invoiceOf(await givenStored({ paymentStatus, status }));
    expect(/<strong>([^<]*)/.exec(text)?.[1]).toContain(said);
    const isProForma = said.startsWith('Pro forma');
    expect(text.includes('<h1>Pro forma invoice')).toBe(isProForma);
    if (status === 'REFUNDED') expect(amountsOf(text)).toMatchObject({ 'Total now': 0 });
  });

  it('is for the buyer, the merchant, ADMIN and SUPPORT; for all others there is no order', async () => {
    const order = await givenStored();
    const path = `/api/orders/${order.id}/invoice`;
    for (const token of [`merchant-${order.merchantId}`, `admin-${newId()}`, `support-${newId()}`])
      expect((await get(token, path)).status).toBe(200);
    const strangers = [`user-${newId()}`, `merchant-${newId()}`, `user-${order.merchantId}`];
    for (const token of strangers) {
      const answer = await get(token, path);
      expect([answer.status, answer.body.code]).toEqual([404, 'not-found']);
    }
    expect((await get('nobody', path)).status).toBe(401);
    expect((await get(`user-${order.userId}`, `/api/orders/${newId()}/invoice`)).status).toBe(404);
    expect((await get(`user-${order.userId}`, '/api/orders/x/invoice')).status).toBe(400);
  });
});

describe('GET /api/merchant/orders.csv', () => {
  it('has a line per item, and no cell that a spreadsheet would run', async () => {
    const order = await givenStored({ trackingNumber: '-2+3' });
    const merchant = `merchant-${order.merchantId}`;
    const { text } = await get(merchant, '/api/merchant/orders.csv').buffer();
    const [head = '', first = '', second, end] = text.split('\r\n');
    const names = head.split(',');
    expect(new Set(names).size).toBe(names.length);
    expect(end).toBe('');
    expect(first).toContain(`"<script>alert(""1"")</script> & 'x'"`);
    for (const cell of ["'=1+1", "'-2+3", "'=cmd()", "'@Ann"])
      expect(first.split(',')).toContain(cell);
    const cells = second?.split(',') ?? [];
    expect(Object.fromEntries(names.map((name, index) => [name, cells[index]]))).toMatchObject({
      ...{ orderNumber: order.orderNumber, orderId: order.id, line: '2', status: 'CONFIRMED' },
      ...{ buyerId: order.userId, productName: 'Chair', quantity: '3', cancelled: '0' },
      ...{ unitPrice: '10.00', lineTotal: '30.00', currency: 'USD', orderTotal: '144.21' },
      ...{ orderDiscount: '12.99', orderTotalNow: '144.21', shipToCountry: 'DE' },
    });
    expect(text).not.toContain(order.idempotencyKey);
  });

  it('keeps to its filters', async () => {
    const order = await givenStored({ createdAt: new Date(Date.UTC(2026, 4, 5)) });
    const merchant = `merchant-${order.merchantId}`;
    const lines = async (query: string) => {
      const { text } = await get(merchant, `/api/merchant/orders.csv?${query}`).buffer();
      return text.trimEnd().split('\r\n').length - 1;
    };
    expect(await lines('status=CONFIRMED')).toBe(2);
    expect(await lines('status=SHIPPED')).toBe(0);
    expect(await lines(`saleId=${newId()}`)).toBe(0);
    const bad = await get(merchant, '/api/merchant/orders.csv?from=yesterday');
    expect([bad.status, bad.body.code]).toEqual([400, 'validation-failed']);
    const asked = await get(merchant, `/api/merchant/orders.csv?merchantId=${newId()}`);
    expect(asked.status).toBe(403);
  });
});
