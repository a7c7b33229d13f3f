import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@quicksale/shared/testing';
import { unrecordedCount } from './books.ts';
import { createSale, expectBalanced, givenSale, stockIn } from './sale-books.ts';
import { startServiceProcess } from './service-process.ts';
import { startSystem, type System } from './system.ts';

const name = 'inventory-service';
const stock = 1_500;
const allotted = 1_200;
const allotmentPoints = [
  'after-sale-written',
  'after-sale-claimed',
  'after-sale-put',
  'after-marked-away',
  'after-round-written',
  'after-round-moved',
  'after-round-closed',
  'after-product-moved',
] as const;
const returnPoints = [
  'after-round-written',
  'after-round-moved',
  'after-round-closed',
  'after-claim-dropped',
] as const;

describe('inventory-service dies at every step of a sale', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({ name: 'salecrash' });
  }, 180_000);
  afterAll(() => system?.stop(), 60_000);

  /**
   * Does `work` on a process that kills itself at this point; it must come to that. Nothing is mended
   * before the service is started as it should be.
   */
  async function dyingAt(point: string, work: () => Promise<{ status: number }>): Promise<void> {
    const settings = {
      QUICKSALE_FAULT: point,
      QUICKSALE_REPAIRS_OFF: 'sale-runner,movement-runner',
    };
    const doomed = await startServiceProcess(system, name, settings, 'started');
    try {
      // The connection breaks, or the gateway says that nobody is there. It may say so of the one before.
      const isOver = () =>
        Promise.race([doomed.ended.then(() => true), sleep(200).then(() => false)]);
      do {
        const answer = await work().catch(() => undefined);
        if (answer && answer.status !== 503) throw new Error(`${point}: ${answer.status}`);
      } while (!(await isOver()));
      expect(await doomed.ended).toEqual([null, 'SIGKILL']);
    } finally {
      await doomed.stop();
    }
  }

  const total = async (productId: string, ...saleIds: string[]) => {
    const stocks = await Promise.all(saleIds.map((id) => stockIn(system, id, productId)));
    return stocks.reduce((sum, units) => sum + units, 0);
  };

  const salesOf = async (merchantId: string) => {
    const { body } = await system.api.call(`/api/sales?merchantId=${merchantId}`);
    return body.data as { _id: string; state: string }[];
  };

  it('row 15: while units are allotted: none is lost or doubled, and the sale comes to be', async () => {
    const made = [];
    for (const point of allotmentPoints) {
      const { saleId: merchantId, ...product } = await system.givenProduct(stock);
      made.push({ point, merchantId, ...product });
    }
    await system.supervisor.stopPart(name);
    for (const { point, productId, token } of made)
      await dyingAt(point, () => createSale(system, { productId, token, allotted }));
    await system.supervisor.start([name]);
    for (const { productId, merchantId } of made) {
      await eventually(async () => {
        const [sale] = await salesOf(merchantId);
        expect(sale?.state).toBe('open');
        expect(await stockIn(system, String(sale?._id), productId)).toBe(allotted);
        expect(await total(productId, merchantId, String(sale?._id))).toBe(stock);
      }, 60_000);
      const [sale] = await salesOf(merchantId);
      await expectBalanced(system, merchantId);
      await expectBalanced(system, String(sale?._id));
    }
    expect(await unrecordedCount(system)).toBe(0);
    process.stdout.write(`allotment: killed at ${made.map(({ point }) => point).join(', ')}\n`);
  }, 240_000);

  it('row 15: while units are returned: all of them are back', async () => {
    const made = [];
    for (const point of returnPoints)
      made.push({ point, ...(await givenSale(system, stock, allotted)) });
    await system.supervisor.stopPart(name);
    for (const { point, saleId, token } of made)
      await dyingAt(point, () =>
        system.api.call(`/api/sales/${saleId}/close`, { method: 'POST', token }),
      );
    await system.supervisor.start([name]);
    for (const { productId, merchantId, saleId } of made) {
      await eventually(async () => {
        expect((await salesOf(merchantId)).map(({ state }) => state)).toEqual(['finished']);
        expect(await stockIn(system, merchantId, productId)).toBe(stock);
        expect(await stockIn(system, saleId, productId)).toBe(0);
      }, 60_000);
      await expectBalanced(system, merchantId);
      await expectBalanced(system, saleId);
    }
    process.stdout.write(`return: killed at ${made.map(({ point }) => point).join(', ')}\n`);
  }, 240_000);
});
