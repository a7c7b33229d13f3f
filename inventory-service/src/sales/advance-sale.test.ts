import { describe, expect, it } from '@jest/globals';
import { Crash, createSaleWorld, type SaleWorld } from '../../test/sale-fixture.ts';
import { advanceSale } from './advance-sale.ts';
import { changeSale, restockSale } from './change-sale.ts';
import { followMovement } from '../stock/follow-movement.ts';
import { createSale, type CreatedSale } from './create-sale.ts';
import { runSales } from './run-sales.ts';
import { changeTerms, close, pause, resume } from './sale-changes.ts';
import type { TimedSale } from './timed-sale.ts';

const merchant = {
  userId: 'a'.repeat(24),
  role: 'MERCHANT',
  sessionId: 's',
  expiresAtMs: 0,
} as const;

const wish = (world: SaleWorld, productId: string, stock: number) => ({
  name: 'Sale',
  opensAt: new Date(world.nowMs() + 10_000),
  closesAt: new Date(world.nowMs() + 3_600_000),
  perBuyerLimit: 0,
  holdMs: 0,
  durability: 'safe' as const,
  items: [{ productId, price: 1_999, stock }],
});

async function givenSale(world: SaleWorld, stock: number, allotted: number) {
  const { productId, merchantId } = await world.givenProduct(stock);
  const created = await createSale(world.deps, wish(world, productId, allotted), merchant);
  if (created.kind !== 'created') throw new Error(JSON.stringify(created));
  const saleId = created.sale.id;
  const read = async () => {
    const sale = world.timed.get(saleId);
    if (!sale) throw new Error('no sale');
    return structuredClone(sale);
  };
  return { productId, merchantId, saleId, read };
}

/** Units of a product in both sales; `undefined` in a sale that never had any. */
const units = (world: SaleWorld, productId: string, ...saleIds: string[]) =>
  saleIds.map((saleId) => world.stockOf({ saleId, productId })?.stock);

const total = (world: SaleWorld, productId: string, saleIds: readonly string[]) =>
  units(world, productId, ...saleIds).reduce<number>((sum, stock) => sum + (stock ?? 0), 0);

/** What is left is done by the runner of a process that lives. */
async function runUntilIdle(world: SaleWorld): Promise<void> {
  world.dieAt();
  for (let round = 0; round < 5; round += 1) {
    world.pass(10_001);
    await runSales(world.deps);
  }
}

function buy(world: SaleWorld, saleId: string, productId: string, quantity: number) {
  const orderId = 'f'.repeat(24);
  const [sold] = world.memory.reserve(saleId, [
    {
      orderId,
      userId: 'u',
      kind: 'order',
      digest: 'd',
      fingerprint: 'p',
      facts: '{}',
      items: [{ productId, quantity }],
    },
  ]);
  if (sold?.status !== 'reserved') throw new Error('not sold');
  return { orderId, units: sold.record.units };
}

const dying = async (work: Promise<unknown>) =>
  work.then(
    () => true,
    (error: unknown) => {
      if (!(error instanceof Crash)) throw error;
      return false;
    },
  );

describe('making a sale', () => {
  it('moves units in rounds, then the product with its price', async () => {
    const world = createSaleWorld();
    const { productId, merchantId, saleId } = await givenSale(world, 2_600, 2_500);
    expect(units(world, productId, merchantId, saleId)).toEqual([100, 2_500]);
    expect(world.timed.get(saleId)).toMatchObject({
      stage: 'ready',
      ledgerReady: true,
      runAt: world.timed.get(saleId)?.closesAt,
      items: [{ allotted: 2_500, rounds: 3 }],
    });
    expect(world.products.get(productId)).toMatchObject({
      saleId,
      claimedBy: saleId,
      salePrice: 1_999,
      formerSales: [{ saleId: merchantId }],
    });
  });

  it('moves nothing when there is too little', async () => {
    const world = createSaleWorld();
    const { productId, merchantId } = await world.givenProduct(9);
    const refused = await createSale(world.deps, wish(world, productId, 10), merchant);
    expect(refused).toEqual({
      kind: 'refused',
      refusal: { code: 'insufficient-stock', products: [{ productId, available: 9 }] },
    });
    expect(units(world, productId, merchantId)).toEqual([9]);
    expect(world.products.get(productId)).not.toHaveProperty('claimedBy');
  });

  it('is not refused for units that a ledger under repair does not show', async () => {
    const world = createSaleWorld();
    const { productId, merchantId } = await world.givenProduct(9);
    world.memory.rebuild(merchantId, { epoch: 2, slice: 0 }, { kind: 'begin' });
    const cleared = { kind: 'clear', productIds: [productId] } as const;
    world.memory.rebuild(merchantId, { epoch: 2, slice: 1 }, cleared);
    await expect(createSale(world.deps, wish(world, productId, 9), merchant)).rejects.toMatchObject(
      { code: 'dependency-unavailable' },
    );
    expect(world.timed.size).toBe(0);
  });

  it('keeps its products while a ledger under repair does not show what it has', async () => {
    const world = createSaleWorld();
    const { productId, merchantId, saleId, read } = await givenSale(world, 9, 5);
    const { shownStock } = world.deps.ledger;
    let isLost = true;
    const ledger: typeof world.deps.ledger = {
      ...world.deps.ledger,
      shownStock: async (places) => {
        const shown = await shownStock(places);
        return shown.map((stock, i) => (isLost && places[i]?.saleId === saleId ? null : stock));
      },
    };
    world.pass(3_600_001 + 10_000);
    await expect(advanceSale({ ...world.deps, ledger }, await read())).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
    expect(world.products.get(productId)).toMatchObject({ claimedBy: saleId });
    isLost = false;
    await runUntilIdle(world);
    expect(units(world, productId, merchantId, saleId)).toEqual([9, 0]);
    expect(world.products.get(productId)).not.toHaveProperty('claimedBy');
  });

  it('gives back what had moved when the rest is gone meanwhile', async () => {
    const world = createSaleWorld();
    const { productId, merchantId } = await world.givenProduct(2_500);
    const { make } = world.deps.houseOrders;
    let made = 0;
    const houseOrders: typeof world.deps.houseOrders = {
      make: async (order) => {
        made += 1;
        return made === 3
          ? { kind: 'insufficient-stock', products: [{ productId, available: 7 }] }
          : make(order);
      },
    };
    const deps = { ...world.deps, houseOrders };
    const refused = await createSale(deps, wish(world, productId, 2_500), merchant);
    expect(refused).toMatchObject({ kind: 'refused', refusal: { code: 'insufficient-stock' } });
    expect(units(world, productId, merchantId)).toEqual([2_500]);
    expect(world.products.get(productId)).not.toHaveProperty('claimedBy');
    const again = await createSale(world.deps, wish(world, productId, 2_500), merchant);
    expect(again.kind).toBe('created');
  });

  it('lets a product into one unfinished sale only', async () => {
    const world = createSaleWorld();
    const { productId, merchantId } = await world.givenProduct(100);
    const results = await Promise.all(
      Array.from({ length: 5 }, () => createSale(world.deps, wish(world, productId, 10), merchant)),
    );
    expect(results.filter(({ kind }) => kind === 'created')).toHaveLength(1);
    const refusals = results.flatMap((one: CreatedSale) =>
      one.kind === 'refused' ? [one.refusal.code] : [],
    );
    expect(refusals).toEqual(Array(4).fill('product-in-sale'));
    await runUntilIdle(world);
    expect(total(world, productId, [merchantId, ...world.timed.keys()])).toBe(100);
  });

  it("takes only the merchant's own products", async () => {
    const world = createSaleWorld();
    const { productId } = await world.givenProduct(10, 'b'.repeat(24));
    const given = wish(world, productId, 1);
    expect(await createSale(world.deps, given, merchant)).toEqual({
      kind: 'unknown-product',
      productId,
    });
    const other = await world.givenProduct(10);
    const mixed = {
      ...given,
      items: [...given.items, { ...given.items[0]!, productId: other.productId }],
    };
    expect(await createSale(world.deps, mixed, { ...merchant, role: 'ADMIN' })).toEqual({
      kind: 'several-merchants',
    });
  });
});

describe('a sale whose process dies', () => {
  it.each([
    ['right before', false],
    ['right after', true],
  ])('%s any step while it is made is made by the runner, or was never one', async (_, after) => {
    for (let step = 1; ; step += 1) {
      const world = createSaleWorld();
      const { productId, merchantId } = await world.givenProduct(2_000);
      world.dieAt(step, after);
      const survived = await dying(createSale(world.deps, wish(world, productId, 1_500), merchant));
      const inBetween = total(world, productId, [merchantId, ...world.timed.keys()]);
      expect(inBetween).toBeLessThanOrEqual(2_000);
      await runUntilIdle(world);
      const [sale] = world.timed.values();
      expect(units(world, productId, merchantId, sale?.id ?? '')).toEqual(
        sale ? [500, 1_500] : [2_000, undefined],
      );
      expect(sale?.stage ?? 'ready').toBe('ready');
      expect(world.products.get(productId)?.saleId).toBe(sale?.id ?? merchantId);
      if (!survived) continue;
      process.stdout.write(`allotment: died at each of ${step - 1} steps\n`);
      expect(step).toBeGreaterThan(20);
      break;
    }
  });

  it.each([
    ['right before', false],
    ['right after', true],
  ])('%s any step while it ends gives everything back', async (_, after) => {
    for (let step = 1; ; step += 1) {
      const world = createSaleWorld();
      const { productId, merchantId, saleId, read } = await givenSale(world, 2_000, 1_500);
      world.dieAt(step, after);
      const survived = await dying(changeSale(world.deps, read, close));
      expect(total(world, productId, [merchantId, saleId])).toBeLessThanOrEqual(2_000);
      await runUntilIdle(world);
      const closed = world.timed.get(saleId)?.stage === 'finished';
      expect(units(world, productId, merchantId, saleId)).toEqual(
        closed ? [2_000, 0] : [500, 1_500],
      );
      expect(world.products.get(productId)?.saleId).toBe(closed ? merchantId : saleId);
      expect(world.products.get(productId)?.claimedBy).toBe(closed ? undefined : saleId);
      if (!survived) continue;
      process.stdout.write(`return: died at each of ${step - 1} steps\n`);
      expect(step).toBeGreaterThan(15);
      break;
    }
  });

  it('does not matter to two that walk the same road at once', async () => {
    const world = createSaleWorld();
    const { productId, merchantId } = await world.givenProduct(5_000);
    world.dieAt(4);
    await dying(createSale(world.deps, wish(world, productId, 4_500), merchant));
    world.dieAt();
    world.pass(10_001);
    await Promise.all([runSales(world.deps), runSales(world.deps), runSales(world.deps)]);
    await runUntilIdle(world);
    const [sale] = world.timed.values();
    expect(units(world, productId, merchantId, sale?.id ?? '')).toEqual([500, 4_500]);
  });
});

describe('a sale that runs', () => {
  it('ends by itself at its time, and takes late units back', async () => {
    const world = createSaleWorld();
    const { productId, merchantId, saleId } = await givenSale(world, 50, 40);
    world.pass(20_000);
    const sold = buy(world, saleId, productId, 4);
    world.pass(3_600_000);
    expect(world.state(saleId)).toBe('closed');
    await runSales(world.deps);
    expect(world.state(saleId)).toBe('finished');
    expect(units(world, productId, merchantId, saleId)).toEqual([46, 4]);
    // Cancelled after the end.
    world.memory.release(saleId, [sold]);
    await runUntilIdle(world);
    expect(units(world, productId, merchantId, saleId)).toEqual([50, 0]);
    expect(world.timed.get(saleId)).not.toHaveProperty('runAt');
  });

  it('takes back what came free while it looked at another product', async () => {
    const world = createSaleWorld();
    const [a, b] = [await world.givenProduct(50), await world.givenProduct(50)];
    const items = [a, b].map(({ productId }) => ({ productId, price: 1, stock: 40 }));
    const created = await createSale(world.deps, { ...wish(world, '', 0), items }, merchant);
    if (created.kind !== 'created') throw new Error(JSON.stringify(created));
    const saleId = created.sale.id;
    world.pass(20_000);
    const { units: bought, orderId } = buy(world, saleId, a.productId, 4);
    world.pass(3_600_000);
    const { shownStock } = world.deps.ledger;
    const ledger = {
      ...world.deps.ledger,
      clock: world.deps.ledger.clock,
      putSale: world.deps.ledger.putSale,
      shownStock: async (places: Parameters<typeof shownStock>[0]) => {
        const shown = await shownStock(places);
        if (places[0]?.productId === b.productId && world.timed.get(saleId)?.stage === 'finished')
          world.memory.release(saleId, [{ orderId, units: bought }]);
        return shown;
      },
    };
    await runSales({ ...world.deps, ledger });
    await runUntilIdle(world);
    expect(units(world, a.productId, a.merchantId, saleId)).toEqual([50, 0]);
  });

  it('gives units back that a restock has brought into it after its end', async () => {
    for (let step = 1; step <= 4; step += 1) {
      const world = createSaleWorld();
      const { productId, merchantId, saleId, read } = await givenSale(world, 50, 40);
      await changeSale(world.deps, read, close);
      await runUntilIdle(world);
      expect(units(world, productId, merchantId, saleId)).toEqual([50, 0]);
      const movement = await world.deps.movements.append({
        id: 'late',
        saleId,
        productId,
        units: 7,
        reason: 'restock',
        by: merchantId,
        at: new Date(world.nowMs()),
      });
      world.dieAt(step);
      if (!(await dying(followMovement(world.deps, movement)))) {
        world.dieAt();
        // What the runner of movements does.
        if (world.stockOf({ saleId, productId })?.stock === 0)
          await followMovement(world.deps, movement);
      }
      await runUntilIdle(world);
      expect(units(world, productId, merchantId, saleId)).toEqual([57, 0]);
    }
  });

  it('is paused, resumed and changed in the ledger before its merchant hears of it', async () => {
    const world = createSaleWorld();
    const { productId, saleId, read } = await givenSale(world, 50, 40);
    const ledgerHas = () =>
      world.memory.dump()[`ql:{${world.shardOf(saleId)}}:sale:${saleId}`] as Record<string, string>;
    await changeSale(world.deps, read, pause);
    expect(ledgerHas()).toMatchObject({ state: 'paused', settingsVersion: '2' });
    expect(await changeSale(world.deps, read, pause)).toMatchObject({
      sale: { settingsVersion: 2 },
    });
    await changeSale(world.deps, read, resume);
    expect(ledgerHas()).toMatchObject({ state: 'live', settingsVersion: '3' });
    await changeSale(
      world.deps,
      read,
      changeTerms({ perBuyerLimit: 3, items: [{ productId, price: 777 }] }),
    );
    expect(ledgerHas()).toMatchObject({ perBuyerLimit: '3' });
    expect(world.products.get(productId)?.salePrice).toBe(777);
  });

  it('gets further units from the standing sale, all or none', async () => {
    const world = createSaleWorld();
    const { productId, merchantId, saleId, read } = await givenSale(world, 50, 40);
    expect(await restockSale(world.deps, read, { productId, units: 11 })).toEqual({
      kind: 'insufficient-stock',
      productId,
      available: 10,
    });
    await restockSale(world.deps, read, { productId, units: 10 });
    expect(units(world, productId, merchantId, saleId)).toEqual([0, 50]);
  });

  it('gets them once per id, wherever the first request died', async () => {
    for (let step = 1; ; step += 1) {
      const world = createSaleWorld();
      const { productId, merchantId, saleId, read } = await givenSale(world, 50, 20);
      const restock = (units = 10) =>
        restockSale(world.deps, read, { productId, units, id: 'once' });
      world.dieAt(step);
      const lived = await dying(restock());
      world.dieAt();
      expect(await restock()).toMatchObject({ kind: 'changed' });
      expect(await restock(11)).toEqual({ kind: 'key-reused' });
      await runUntilIdle(world);
      expect(units(world, productId, merchantId, saleId)).toEqual([20, 30]);
      // A repeat is no wish for more, also when there is no more.
      await restockSale(world.deps, read, { productId, units: 20 });
      expect(await restock()).toMatchObject({ kind: 'changed' });
      if (!lived) continue;
      expect(step).toBeGreaterThan(5);
      break;
    }
  });

  it('adds once though others write its sale too often to go on', async () => {
    const world = createSaleWorld();
    const { productId, merchantId, saleId, read } = await givenSale(world, 5_000, 20);
    const { find, save } = world.deps.timedSales;
    let writes = 0;
    const timedSales = {
      ...world.deps.timedSales,
      find,
      save: async (sale: TimedSale) => {
        const current = world.timed.get(sale.id);
        writes += 1;
        if (current && writes > 1 && writes < 80)
          world.timed.set(sale.id, { ...current, revision: current.revision + 1 });
        return save(sale);
      },
    };
    await expect(
      restockSale({ ...world.deps, timedSales }, read, { productId, units: 100 }),
    ).rejects.toMatchObject({ code: 'overloaded' });
    await runUntilIdle(world);
    expect(units(world, productId, merchantId, saleId)).toEqual([4_880, 120]);
  });

  it('goes on with other items when one of them can get no more', async () => {
    const world = createSaleWorld();
    const [a, b] = [await world.givenProduct(50), await world.givenProduct(50)];
    const items = [a, b].map(({ productId }) => ({ productId, price: 1, stock: 40 }));
    const created = await createSale(world.deps, { ...wish(world, '', 0), items }, merchant);
    if (created.kind !== 'created') throw new Error(JSON.stringify(created));
    const { sale } = created;
    await world.deps.timedSales.save({
      ...sale,
      items: sale.items.map((item) => ({
        ...item,
        stock: item.productId === a.productId ? 99 : 45,
      })),
      runAt: new Date(world.nowMs()),
    });
    await runUntilIdle(world);
    expect(units(world, a.productId, sale.id)).toEqual([40]);
    expect(units(world, b.productId, sale.id)).toEqual([45]);
  });

  it('shows its prices after a change that died anywhere', async () => {
    for (let step = 1; ; step += 1) {
      const world = createSaleWorld();
      const { productId, read } = await givenSale(world, 50, 40);
      world.dieAt(step);
      const terms = changeTerms({ items: [{ productId, price: 777 }] });
      const lived = await dying(changeSale(world.deps, read, terms));
      world.dieAt();
      await runUntilIdle(world);
      expect(world.products.get(productId)?.salePrice).toBe((await read()).items[0]?.price);
      if (!lived) continue;
      expect(step).toBeGreaterThan(4);
      break;
    }
  });

  it('leaves no product behind when one dies who walked on with what it was before its end', async () => {
    for (let step = 1; step < 8; step += 1) {
      const world = createSaleWorld();
      const { productId, merchantId, saleId, read } = await givenSale(world, 50, 40);
      const before = await read();
      const { shownStock, clock, putSale } = world.deps.ledger;
      let hasDied = false;
      const ledger = {
        clock,
        putSale,
        // Asked for by the one who ends the sale: its product is home, and still claimed.
        shownStock: async (places: Parameters<typeof shownStock>[0]) => {
          if (!hasDied) {
            hasDied = true;
            world.dieAt(step, true);
            await advanceSale(world.deps, before).catch(() => undefined);
            world.dieAt();
          }
          return shownStock(places);
        },
      };
      await changeSale({ ...world.deps, ledger: { ...world.deps.ledger, ...ledger } }, read, close);
      await runUntilIdle(world);
      const product = world.products.get(productId);
      expect(product).toMatchObject({ saleId: merchantId });
      expect(product).not.toHaveProperty('claimedBy');
      expect(product).not.toHaveProperty('salePrice');
      expect(units(world, productId, merchantId, saleId)).toEqual([50, 0]);
    }
  });
});
