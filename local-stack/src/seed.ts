import { type Demo, type DemoUser, readOrMakeDemo, writeDemo } from './demo/demo-file.ts';
import { callJson, type JsonReply } from './demo/call-json.ts';

const demoProduct = {
  name: 'Demo product',
  description: 'A hundred units, on sale at once. Development only.',
  price: 49.99,
  originalPrice: 99.99,
  stock: 100,
  category: 'demo',
};

const saleProduct = {
  ...demoProduct,
  name: 'Demo sale product',
  description: 'A hundred units, sold in the demo sale. Development only.',
};
/** From the first start on: time to copy a command and wait for it. */
const opensAfterMs = 20_000;
const opensForMs = 7 * 24 * 3_600_000;

export interface SeedOptions {
  /** The services' variables: their URLs and INTERNAL_KEY. */
  readonly env: Readonly<Record<string, string>>;
  readonly demoFile: string;
}

/**
 * Makes the demo users, product and sale through the services' own interfaces, once: what is
 * there already is found again. Returns with every id known.
 */
export async function seed(options: SeedOptions): Promise<{ demo: Demo; wasSeeded: boolean }> {
  const { env, demoFile } = options;
  const known = await readOrMakeDemo(demoFile);
  if (await isSeeded(known, env)) {
    return { demo: known, wasSeeded: false };
  }
  const admin = await makeAdmin(known.admin, env);
  const merchant = await makeUser(known.merchant, 'MERCHANT', 'Mia', env);
  const buyers: DemoUser[] = [];
  for (const [index, buyer] of known.buyers.entries()) {
    const made = await makeUser(buyer, 'CUSTOMER', `Buyer ${index + 1}`, env);
    buyers.push({ ...buyer, id: made.id });
  }
  const { accessToken } = merchant;
  const productId = await makeProduct({ ...demoProduct, sku: known.product.sku }, accessToken, env);
  const ofSale = await makeProduct({ ...saleProduct, sku: known.sale.sku }, accessToken, env);
  const saleId = await makeSale(ofSale, merchant, env);
  const demo: Demo = {
    admin: { ...known.admin, id: admin.id },
    merchant: { ...known.merchant, id: merchant.id },
    buyers,
    product: { ...known.product, id: productId },
    sale: { ...known.sale, productId: ofSale, id: saleId },
  };
  await writeDemo(demoFile, demo);
  return { demo, wasSeeded: true };
}

/** The file alone is no proof: the services may have been given another database since. */
async function isSeeded(demo: Demo, env: SeedOptions['env']): Promise<boolean> {
  if (demo.product.id === undefined) {
    return false;
  }
  const url = `${env.INVENTORY_SERVICE_URL}/api/inventory/products/${demo.product.id}`;
  return (await callJson('GET', url)).status === 200;
}

async function makeAdmin(user: DemoUser, env: SeedOptions['env']): Promise<{ id: string }> {
  const url = `${env.AUTH_SERVICE_ADMIN_URL}/internal/admins`;
  const { email, password } = user;
  const body = { email, password, firstName: 'Ada', lastName: 'Admin' };
  const reply = await callJson('POST', url, {
    body,
    headers: { 'x-internal-key': env.INTERNAL_KEY ?? '' },
  });
  if (reply.status === 201) {
    return { id: textAt(reply, 'user', 'id') ?? textAt(reply, 'id') ?? missing(url, reply) };
  }
  return signIn(user, url, reply, env);
}

async function makeUser(
  user: DemoUser,
  role: 'CUSTOMER' | 'MERCHANT',
  firstName: string,
  env: SeedOptions['env'],
): Promise<{ id: string; accessToken: string }> {
  const url = `${env.AUTH_SERVICE_URL}/api/auth/register`;
  const { email, password } = user;
  const body = { email, password, firstName, lastName: 'Demo', role };
  const reply = await callJson('POST', url, { body });
  return reply.status === 201 ? session(url, reply) : signIn(user, url, reply, env);
}

async function signIn(
  user: DemoUser,
  refusedUrl: string,
  refusal: JsonReply,
  env: SeedOptions['env'],
): Promise<{ id: string; accessToken: string }> {
  if (refusal.status !== 409) {
    return missing(refusedUrl, refusal);
  }
  const url = `${env.AUTH_SERVICE_URL}/api/auth/login`;
  const { email, password } = user;
  const reply = await callJson('POST', url, { body: { email, password } });
  return reply.status === 200 ? session(url, reply) : missing(url, reply);
}

function session(url: string, reply: JsonReply): { id: string; accessToken: string } {
  return {
    id: textAt(reply, 'user', 'id') ?? missing(url, reply),
    accessToken: textAt(reply, 'accessToken') ?? missing(url, reply),
  };
}

async function makeProduct(
  product: typeof demoProduct & { sku: string },
  accessToken: string,
  env: SeedOptions['env'],
): Promise<string> {
  const url = `${env.INVENTORY_SERVICE_URL}/api/inventory/products`;
  const reply = await callJson('POST', url, {
    body: product,
    headers: { authorization: `Bearer ${accessToken}` },
  });
  const id = reply.status === 201 ? textAt(reply, 'product', '_id') : textAt(reply, 'productId');
  return id ?? missing(url, reply);
}

/** The sale, or the one of an earlier seed that was cut short: a product is in one at a time. */
async function makeSale(
  productId: string,
  merchant: { id: string; accessToken: string },
  env: SeedOptions['env'],
): Promise<string> {
  const url = `${env.INVENTORY_SERVICE_URL}/api/sales`;
  const opensAtMs = Date.now() + opensAfterMs;
  const reply = await callJson('POST', url, {
    body: {
      name: 'Demo sale',
      opensAt: new Date(opensAtMs).toISOString(),
      closesAt: new Date(opensAtMs + opensForMs).toISOString(),
      perBuyerLimit: 2,
      items: [{ productId, price: 19.99, stock: demoProduct.stock }],
    },
    headers: { authorization: `Bearer ${merchant.accessToken}` },
  });
  if (reply.status === 201) return textAt(reply, '_id') ?? missing(url, reply);
  const listed = await callJson('GET', `${url}?merchantId=${merchant.id}&limit=1`);
  return textAt(listed, 'data', '0', '_id') ?? missing(url, reply);
}

function textAt(reply: JsonReply, ...path: readonly string[]): string | undefined {
  let value: unknown = reply.body;
  for (const name of path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  }
  return typeof value === 'string' ? value : undefined;
}

function missing(url: string, reply: JsonReply): never {
  const answer = JSON.stringify(reply.body).slice(0, 300);
  throw new Error(`The demo data could not be made: ${url} answered ${reply.status} ${answer}`);
}
