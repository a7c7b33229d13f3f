import { createHash } from 'node:crypto';
import { toWire } from '@quicksale/shared/money';
import {
  amountDue,
  cancelledUnits,
  isPaid,
  type Address,
  type Order,
} from '@quicksale/shared/orders';

/**
 * The paper of an order: one HTML page without scripts, links or anything that is fetched, to be
 * read on any screen and printed. All that is put into it comes through `text`.
 */
export function invoicePage(order: Order): string {
  const title = `${wasPaid(order) ? 'Invoice' : 'Pro forma invoice'} ${order.orderNumber}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${text(title)}</h1>
<p class="state"><strong>${text(stateOf(order))}</strong></p>
${facts(order)}
<div class="parties">${address('Ship to', order.shippingAddress)}${address('Bill to', order.billingAddress)}</div>
${itemTable(order)}
${amountTable(order)}
</main>
</body>
</html>
`;
}

/** What browsers may do with the page: show it. */
export const invoicePolicy = (): string =>
  [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

const text = (value: string | number): string =>
  String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const decimal = (minor: number): string => toWire(minor).toFixed(2);
const amount = ({ currency }: Order, minor: number): string =>
  text(`${decimal(minor)} ${currency}`);

const wasPaid = ({ paymentStatus }: Order) => isPaid(paymentStatus) || paymentStatus === 'REFUNDED';

const payments: Readonly<Record<Order['paymentStatus'], string>> = {
  NONE: 'Pro forma: this order is not paid through the shop',
  PENDING: 'Pro forma, not paid',
  FAILED: 'Pro forma, not paid: the last payment was declined',
  PAID: 'Paid',
  PARTIALLY_REFUNDED: 'Paid, refunded in part',
  REFUNDED: 'Refunded',
};

const stateOf = ({ status, paymentStatus }: Order) =>
  `${payments[paymentStatus]}. Order ${status.toLowerCase().replaceAll('_', ' ')}`;

function facts(order: Order): string {
  const rows: [string, string | undefined][] = [
    ['Order', order.orderNumber],
    ['Date', `${order.createdAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`],
    ['Seller', order.merchantId],
    ['Buyer', order.billingAddress?.name ?? order.shippingAddress?.name ?? order.userId],
    ['Tracking number', order.trackingNumber],
  ];
  const known = rows.filter(([, value]) => value);
  return `<dl>${known.map(([name, value = '']) => `<div><dt>${name}</dt><dd>${text(value)}</dd></div>`).join('')}</dl>`;
}

function address(title: string, place: Address | undefined): string {
  if (!place) return '';
  const { name, line1, line2, postalCode, city, region, country } = place;
  const lines = [name, line1, line2, `${postalCode} ${city}`, region, country];
  const shown = lines.flatMap((line) => (line ? [text(line)] : []));
  return `<section><h2>${title}</h2><address>${shown.join('<br>')}</address></section>`;
}

function itemTable(order: Order): string {
  const cancelled = cancelledUnits(order);
  const rows = order.items.map(({ productId, sku, name, unitPrice, quantity }) => {
    const gone = cancelled.get(productId) ?? 0;
    const note = gone > 0 ? `<br><span class="quiet">${gone} of ${quantity} cancelled</span>` : '';
    return `<tr><td>${text(name)}<br><span class="quiet">${text(sku)}</span>${note}</td><td class="sum">${text(quantity)}</td><td class="sum">${decimal(unitPrice)}</td><td class="sum">${decimal(unitPrice * quantity)}</td></tr>`;
  });
  return `<table><caption>Prices in ${text(order.currency)}</caption><thead><tr><th>Product</th><th class="sum">Qty</th><th class="sum">Price</th><th class="sum">Amount</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>`;
}

function amountTable(order: Order): string {
  const { pricing } = order;
  const discount = pricing?.discount ? `Discount ${pricing.discount.code}` : 'Discount';
  const tax = pricing?.taxRate ? `Tax ${pricing.taxRate / 100} %` : 'Tax';
  const due = amountDue(order);
  const rows: { name: string; minor: number; isTotal?: true; isShown?: boolean }[] = [
    { name: 'Subtotal', minor: order.subtotal },
    { name: discount, minor: -order.discount, isShown: order.discount > 0 },
    { name: tax, minor: order.taxAmount },
    { name: 'Shipping', minor: order.shippingCost },
    { name: 'Total', minor: order.totalAmount, isTotal: true },
    // After units were cancelled, or all of the order was given up.
    {
      name: wasPaid(order) ? 'Total now' : 'Now due',
      minor: due,
      isTotal: true,
      isShown: due !== order.totalAmount,
    },
  ];
  const lines = rows
    .filter(({ isShown = true }) => isShown)
    .map(
      ({ name, minor, isTotal }) =>
        `<tr${isTotal ? ' class="total"' : ''}><th scope="row">${text(name)}</th><td class="sum">${amount(order, minor)}</td></tr>`,
    );
  return `<table class="amounts"><tbody>${lines.join('\n')}</tbody></table>`;
}

const style = `
:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--quiet:#57606a;--line:#d8dee4}
@media (prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--quiet:#9ba3ad;--line:#30363d}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:50rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{margin:.5rem 0;font-size:1.6rem;line-height:1.2}
h2{margin:0 0 .25rem;font-size:1rem}
.state{margin:.5rem 0 1rem}
.quiet{color:var(--quiet);font-size:.9em}
dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:1rem 0}
dt{color:var(--quiet);font-size:.9em}
dd{margin:0}
.parties{display:flex;flex-wrap:wrap;gap:1rem 3rem;margin:1rem 0}
address{font-style:normal}
table{width:100%;border-collapse:collapse;margin:1rem 0}
th,td{padding:.4rem .5rem .4rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
caption{color:var(--quiet);font-size:.9em;text-align:right}
.sum{padding:.4rem 0 .4rem .75rem;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.amounts{width:auto;min-width:min(100%,20rem);margin-left:auto}
.amounts th{padding-right:2rem;font-weight:400}
.amounts .total>*{font-weight:700}
@media (max-width:36rem){td,th{font-size:.9rem}}
@media print{:root{--back:#fff;--text:#000;--quiet:#444;--line:#999}main{max-width:none;padding:0}tr{break-inside:avoid}@page{margin:2cm}}
`;
