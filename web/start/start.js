// Live numbers of the start page. It asks only while somebody looks, and well within the rate limit.
const salesEveryMs = 4_000;
const servicesEveryMs = 10_000;

const byId = (id) => document.getElementById(id);

function element(name, { text, className, ...rest } = {}, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  for (const [key, value] of Object.entries(rest)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

async function read(path) {
  const answer = await fetch(path, { headers: { Accept: 'application/json' } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.title ?? `status ${answer.status}`);
  return body;
}

const money = (amount, currency) =>
  new Intl.NumberFormat('en', { style: 'currency', currency }).format(amount);

function stockOf({ available, stock }) {
  if (available === null)
    return [element('p', { text: 'Stock is not known now', className: 'bad' })];
  const words = available === 0 ? 'Sold out' : `${available} of ${stock} left`;
  return [
    element('p', { text: words, className: available === 0 ? 'bad' : 'good' }),
    element('meter', { min: 0, max: Math.max(stock, 1), value: available, 'aria-label': words }),
  ];
}

const when = (time) => new Date(time).toLocaleString();

function stateOf(sale) {
  switch (sale.state) {
    case 'scheduled':
      return `opens ${when(sale.opensAt)}`;
    case 'open':
      return `open until ${when(sale.closesAt)}`;
    default:
      return sale.state;
  }
}

const saleCard = (sale) =>
  element(
    'article',
    { className: 'card' },
    element('h3', { text: sale.name }),
    element('p', { text: stateOf(sale), className: 'quiet' }),
    ...sale.items.flatMap((item) => [
      element('p', { text: `${item.name}, ${money(item.price, sale.currency)}` }),
      ...stockOf(item),
    ]),
  );

const productCard = (product) =>
  element(
    'article',
    { className: 'card' },
    element('h3', { text: product.name }),
    element('p', {
      text: `${product.sku}, ${money(product.price, product.currency)}`,
      className: 'quiet',
    }),
    ...stockOf(product),
    element('p', {}, element('code', { text: product._id })),
  );

async function show(id, path, card, nothing) {
  try {
    const { data } = await read(path);
    const cards = data.map(card);
    byId(id).replaceChildren(
      ...(cards.length > 0 ? cards : [element('p', { text: nothing, className: 'quiet' })]),
    );
    return data;
  } catch (error) {
    byId(id).replaceChildren(element('p', { text: error.message, className: 'bad' }));
    return [];
  }
}

function showCurl(productId) {
  byId('curl').textContent = [
    `curl ${location.origin}/api/orders \\`,
    "  -H 'Authorization: Bearer TOKEN' -H 'Idempotency-Key: my-first-order' \\",
    `  -H 'Content-Type: application/json' -d '{"items":[{"productId":"${productId}","quantity":1}]}'`,
  ].join('\n');
}

async function showShop() {
  const [, [product]] = await Promise.all([
    show('sales', '/api/sales?limit=6', saleCard, 'There is no timed sale.'),
    show('products', '/api/inventory/products?limit=6', productCard, 'There is no product yet.'),
  ]);
  showCurl(product?._id ?? 'PRODUCT');
}

function serviceRow({ name, state, address = '', version = '', uptimeSeconds }) {
  const minutes = uptimeSeconds === undefined ? '' : `${Math.floor(uptimeSeconds / 60)} min`;
  return element(
    'tr',
    {},
    element('td', { text: name }),
    element('td', { text: state, className: state === 'ok' ? 'good' : 'bad' }),
    element('td', {}, element('code', { text: name === 'gateway' ? location.host : address })),
    element('td', { text: version }),
    element('td', { text: minutes }),
  );
}

async function showServices() {
  try {
    const { services } = await read('/status.json');
    byId('services').replaceChildren(...services.map(serviceRow));
  } catch (error) {
    byId('services').replaceChildren(
      element('tr', {}, element('td', { text: error.message, className: 'bad', colspan: 5 })),
    );
  }
}

async function repeat(work, everyMs) {
  for (;;) {
    if (!document.hidden) await work();
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

void repeat(showShop, salesEveryMs);
void repeat(showServices, servicesEveryMs);
