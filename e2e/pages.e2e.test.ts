import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Page } from 'playwright-core';
import { eventually } from '@quicksale/shared/testing';
import { readApiDocument } from './api-document.ts';
import { openBrowser, type TestBrowser } from './browser.ts';
import { createSale } from './sale-books.ts';
import { startSystem, type System } from './system.ts';

jest.setTimeout(60_000);

/** So often a page looks for news. */

const nextLookMs = 10_000;
const windows = {
  wide: { width: 1_280, height: 900 },
  narrow: { width: 360, height: 740 },
} as const;
const looks = (['wide', 'narrow'] as const).flatMap((window) =>
  (['light', 'dark'] as const).map((scheme) => ({ window, scheme })),
);

describe('pages in a browser without any network', () => {
  let system: System;
  let browser: TestBrowser;
  let base: string;
  const complaints: string[] = [];
  beforeAll(async () => {
    [system, browser] = await Promise.all([
      startSystem({ name: 'pages', settings: { RATE_LIMIT_DEFAULT: '100000/60' } }),
      openBrowser(),
    ]);
    base = system.env.GATEWAY_URL ?? '';
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await system?.stop();
  }, 60_000);
  afterEach(() => {
    expect(browser.outside).toEqual([]);
    expect(complaints.splice(0)).toEqual([]);
  });

  async function open(path: string, { window, scheme }: (typeof looks)[number]): Promise<Page> {
    const page = await browser.browser.newPage({
      viewport: windows[window],
      colorScheme: scheme,
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (line) => {
      if (line.type() === 'error') complaints.push(line.text());
    });
    // The time of the page is the test's: it need not wait for the next look.
    await page.clock.install();
    await page.goto(base + path);
    return page;
  }

  /** To look at: `QUICKSALE_SCREENSHOTS` names a folder. */
  async function picture(page: Page, name: string): Promise<void> {
    const folder = process.env.QUICKSALE_SCREENSHOTS;
    if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
  }

  const isWithin = (page: Page) =>
    page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth');

  it.each(looks)('the start page, $window and $scheme: what runs, and live stock', async (look) => {
    const { productId, token } = await system.givenProduct(10);
    const sale = await createSale(system, { productId, token, allotted: 4 });
    expect(sale.status).toBe(201);
    const page = await open('/', look);
    await page.getByRole('cell', { name: 'notifier-service' }).waitFor();
    expect(await page.getByRole('cell', { name: 'ok', exact: true }).count()).toBe(5);
    const card = page
      .locator('#sales article')
      .filter({ hasText: String(sale.body.name) })
      .first();
    await card.getByText('4 of 4 left').waitFor();
    expect(await isWithin(page)).toBe(true);
    const buyer = system.signIn();
    const order = { token: buyer.token, key: 'k', productId, quantity: 3 };
    expect((await system.api.placeOrder(order)).status).toBe(201);
    await page.clock.fastForward(nextLookMs);
    await card.getByText('1 of 4 left').waitFor();
    await picture(page, `start-${look.window}-${look.scheme}`);
    await page.close();
  });

  it('what was shown stays when nothing new can be had, and names are only text', async () => {
    const { token } = await system.givenProduct(10);
    const name = `<img src=x onerror="document.title='owned'">${'W'.repeat(150)}`;
    const made = await system.api.call('/api/inventory/products', {
      token,
      body: { name, description: 'd', price: 1, stock: 7, sku: 'S'.repeat(60), category: 'c' },
    });
    expect(made.status).toBe(201);
    const page = await open('/', { window: 'narrow', scheme: 'light' });
    const card = page.locator('#products article').filter({ hasText: 'owned' });
    await card.getByText('7 of 7 left').waitFor();
    expect(await isWithin(page)).toBe(true);
    await page.route('**/api/**', (route) =>
      route.fulfill({ status: 429, json: { title: 'Too many requests' } }),
    );
    await page.clock.fastForward(nextLookMs);
    await page.getByText('Not up to date: Too many requests').waitFor();
    expect(await card.getByText('7 of 7 left').count()).toBe(1);
    expect(await page.title()).toBe('QuickSale');
    // The browser tells of each answer that is no success.
    complaints.length = 0;
    await page.close();
  });

  it.each(looks)('the API docs, $window and $scheme: every call is there', async (look) => {
    const operations = await readApiDocument(system);
    const page = await open('/docs', look);
    const calls = page.locator('.opblock');
    await eventually(async () => expect(await calls.count()).toBe(operations.length), 20_000);
    await page.locator('#operations-Orders-placeOrder').click();
    await page.getByText('Idempotency-Key').first().waitFor();
    expect(await isWithin(page)).toBe(true);
    await picture(page, `docs-${look.window}-${look.scheme}`);
    await page.close();
  });

  it('an error page is where a problem points, and says what to do', async () => {
    const { body } = await system.api.call('/api/orders', { body: {} });
    const page = await open(String(body.type), { window: 'narrow', scheme: 'light' });
    expect(await page.locator('h1').textContent()).toBe('Sign in first');
    expect(await isWithin(page)).toBe(true);
    await picture(page, 'error-narrow');
    await page.close();
  });
});
