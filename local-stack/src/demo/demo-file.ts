import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';

export interface DemoUser {
  readonly email: string;
  readonly password: string;
  readonly id?: string;
}

/** The demo users, product and sale. Ids are missing until they have been seeded. */
export interface Demo {
  readonly admin: DemoUser;
  readonly merchant: DemoUser;
  readonly buyers: readonly DemoUser[];
  readonly product: { readonly sku: string; readonly id?: string };
  /** A timed sale of a product of its own. */
  readonly sale: { readonly sku: string; readonly productId?: string; readonly id?: string };
}

export async function readOrMakeDemo(file: string): Promise<Demo> {
  const known = await readDemo(file);
  if (known !== undefined) {
    return known;
  }
  const demo = newDemo();
  // Before the first request: a seed that is cut short must find its passwords again.
  await writeDemo(file, demo);
  return demo;
}

export async function readDemo(file: string): Promise<Demo | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Demo;
  } catch {
    return undefined;
  }
}

export async function writeDemo(file: string, demo: Demo): Promise<void> {
  const aside = `${file}.${process.pid}`;
  await writeFile(aside, `${JSON.stringify(demo, undefined, 2)}\n`, { mode: 0o600 });
  await rename(aside, file);
}

function newDemo(): Demo {
  const user = (name: string): DemoUser => ({
    email: `${name}@demo.quicksale.example`,
    password: `Demo-${randomBytes(12).toString('base64url')}-1`,
  });
  return {
    admin: user('admin'),
    merchant: user('merchant'),
    buyers: ['buyer1', 'buyer2', 'buyer3'].map(user),
    product: { sku: 'DEMO-100' },
    sale: { sku: 'DEMO-SALE' },
  };
}
