import { csvLine } from '@quicksale/shared/csv';
import { toWire } from '@quicksale/shared/money';
import {
  amountDue,
  cancelledUnits,
  type MerchantOrdersFilter,
  type Order,
  type OrderItem,
  type OrderStore,
} from '@quicksale/shared/orders';

/** Orders that are in memory at a time. */
const ordersPerPage = 500;

const money = (minor: number) => toWire(minor).toFixed(2);

/** A line is an item of an order; what is said of the order is said again with each. */
const columns: readonly [
  name: string,
  cell: (order: Order, item: OrderItem, place: { line: number; cancelled: number }) => unknown,
][] = [
  ['orderNumber', ({ orderNumber }) => orderNumber],
  ['orderId', ({ id }) => id],
  // Amounts of orders are summed up over the lines that are the first of theirs.
  ['line', (_order, _item, { line }) => line],
  ['placedAt', ({ createdAt }) => createdAt.toISOString()],
  ['status', ({ status }) => status],
  ['paymentStatus', ({ paymentStatus }) => paymentStatus],
  ['saleId', ({ saleId }) => saleId],
  ['merchantId', ({ merchantId }) => merchantId],
  ['buyerId', ({ userId }) => userId],
  ['sku', (_order, { sku }) => sku],
  ['productId', (_order, { productId }) => productId],
  ['productName', (_order, { name }) => name],
  ['quantity', (_order, { quantity }) => quantity],
  ['cancelled', (_order, _item, { cancelled }) => cancelled],
  ['unitPrice', (_order, { unitPrice }) => money(unitPrice)],
  ['lineTotal', (_order, { unitPrice, quantity }) => money(unitPrice * quantity)],
  ['currency', ({ currency }) => currency],
  ['orderSubtotal', ({ subtotal }) => money(subtotal)],
  ['orderDiscount', ({ discount }) => money(discount)],
  ['orderTax', ({ taxAmount }) => money(taxAmount)],
  ['orderShipping', ({ shippingCost }) => money(shippingCost)],
  ['orderTotal', ({ totalAmount }) => money(totalAmount)],
  ['orderTotalNow', (order) => money(amountDue(order))],
  ['trackingNumber', ({ trackingNumber }) => trackingNumber],
  ['shipToName', ({ shippingAddress }) => shippingAddress?.name],
  ['shipToLine1', ({ shippingAddress }) => shippingAddress?.line1],
  ['shipToLine2', ({ shippingAddress }) => shippingAddress?.line2],
  ['shipToPostalCode', ({ shippingAddress }) => shippingAddress?.postalCode],
  ['shipToCity', ({ shippingAddress }) => shippingAddress?.city],
  ['shipToRegion', ({ shippingAddress }) => shippingAddress?.region],
  ['shipToCountry', ({ shippingAddress }) => shippingAddress?.country],
];

/**
 * The orders that fit as a table, newest first, read while they are sent: one page of them is in
 * memory, and the next is asked for when this one has gone out.
 */
export async function* exportOrders(
  orders: Pick<OrderStore, 'listOfMerchant'>,
  filter: Omit<MerchantOrdersFilter, 'before' | 'limit'>,
): AsyncGenerator<string, void> {
  let text = csvLine(columns.map(([name]) => name));
  let before: string | undefined;
  do {
    const page = await orders.listOfMerchant({
      ...filter,
      ...(before && { before }),
      limit: ordersPerPage,
    });
    yield text + page.orders.map(linesOf).join('');
    text = '';
    before = page.next;
  } while (before);
}

function linesOf(order: Order): string {
  const cancelled = cancelledUnits(order);
  return order.items
    .map((item, index) => {
      const place = { line: index + 1, cancelled: cancelled.get(item.productId) ?? 0 };
      return csvLine(columns.map(([, cell]) => cell(order, item, place)));
    })
    .join('');
}
