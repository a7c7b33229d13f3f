import { describe, expect, it } from '@jest/globals';
import { createSaleWorld } from '../../test/sale-fixture.ts';
import { setStock } from './set-stock.ts';

describe('an absolute stock', () => {
  it('counts only for the number that was read, though the version is the same', async () => {
    const world = createSaleWorld();
    const { productId, merchantId } = await world.givenProduct(50);
    // A restock has raised the version, and its units are not there yet: both are read like that.
    const product = await world.deps.products.raiseVersion(productId, new Date(world.nowMs()));
    if (!product) throw new Error('no product');
    const { lastUnit } = await world.deps.movements.append({
      id: 'restock',
      saleId: merchantId,
      productId,
      units: 7,
      reason: 'restock',
      by: merchantId,
      at: new Date(world.nowMs()),
    });
    expect(lastUnit).toBe(57);
    const given = { product, stock: 50, readStock: 50, by: merchantId };
    expect(await setStock(world.deps, given)).toEqual({ kind: 'version-conflict' });
    expect(world.stockOf({ saleId: merchantId, productId })?.stock).toBe(57);
  });

  it('holds whatever there is for one who does not mind', async () => {
    const world = createSaleWorld();
    const { productId, merchantId } = await world.givenProduct(50);
    const product = await world.deps.products.findById(productId);
    if (!product) throw new Error('no product');
    expect(await setStock(world.deps, { product, stock: 60, by: merchantId })).toMatchObject({
      kind: 'set',
    });
    expect(world.stockOf({ saleId: merchantId, productId })?.stock).toBe(60);
  });
});
