// Live numbers of the start page. It asks only while somebody looks, and seldom: readers who share an
// address share a rate limit. What was shown stays when nothing new can be had.
const everyMs = 10_000;

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
  if (!answer.ok) {
    const error = new Error(body.title ?? `status ${answer.status}`);
    error.waitMs = Number(answer.headers.get('retry-after') ?? 0) * 1_000;
    throw error;
  }
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

const stateOf = ({ state, opensAt, closesAt }) =>
  state === 'scheduled' ? `opens ${when(opensAt)}` : `open until ${when(closesAt)}`;

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

/** Draws only what has changed: whoever selects something or has it read out is not disturbed. */
const drawn = new Map();

function draw(id, data, parts) {
  const text = JSON.stringify(data);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  byId(id).replaceChildren(...parts());
}

const cards = (data, card, nothing) => () =>
  data.length > 0 ? data.map(card) : [element('p', { text: nothing, className: 'quiet' })];

function curlOf(productId) {
  return [
    `curl ${location.origin}/api/orders \\`,
    "  -H 'Authorization: Bearer TOKEN' -H 'Idempotency-Key: my-first-order' \\",
    `  -H 'Content-Type: application/json' -d '{"items":[{"productId":"${productId}","quantity":1}]}'`,
  ].join('\n');
}

async function showShop() {
  const [open, scheduled, products] = await Promise.all([
    read('/api/sales?state=open&limit=6'),
    read('/api/sales?state=scheduled&limit=6'),
    read('/api/inventory/products?limit=6'),
  ]);
  const sales = [...open.data, ...scheduled.data];
  draw('sales', sales, cards(sales, saleCard, 'No sale is open or to come.'));
  draw('products', products.data, cards(products.data, productCard, 'There is no product yet.'));
  const productId = products.data[0]?._id ?? 'PRODUCT';
  draw('curl', productId, () => [curlOf(productId)]);
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
  const { services } = await read('/status.json');
  draw('services', services, () => services.map(serviceRow));
}

/** Says what is not up to date; answers how long it is to be left alone. */
function tell(errors) {
  draw('trouble', errors.map(String), () =>
    errors.map(({ message }) =>
      element('p', { text: `Not up to date: ${message}`, className: 'bad' }),
    ),
  );
  return Math.max(everyMs, ...errors.map(({ waitMs = 0 }) => waitMs));
}

async function keepUpToDate() {
  for (;;) {
    let waitMs = everyMs;
    if (!document.hidden) {
      const ends = await Promise.allSettled([showShop(), showServices()]);
      waitMs = tell(ends.flatMap(({ reason }) => reason ?? []));
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

void keepUpToDate();
