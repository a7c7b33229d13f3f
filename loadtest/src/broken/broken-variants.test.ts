import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { applyPatches, makeBrokenCopy } from './make-broken-copy.ts';
import { findVariant, variants } from './variants.ts';

const repository = join(import.meta.dirname, '../../..');

describe('broken variants', () => {
  it.each(variants.map((variant) => [variant.name, variant] as const))(
    '%s still fits the sources, and leaves them readable',
    async (_name, variant) => {
      for (const [file, source] of await applyPatches(variant.patches)) {
        expect(source).not.toBe(await readFile(join(repository, file), 'utf8'));
        // Parses it: what is no TypeScript any more is refused.
        if (file.endsWith('.ts')) expect(() => stripTypeScriptTypes(source)).not.toThrow();
      }
    },
  );

  it('a patch that fits nowhere, or twice, is refused', async () => {
    const file = 'shared/src/orders/order.ts';
    const refused = (find: string) =>
      expect(applyPatches([{ file, find, replace: '' }])).rejects.toThrow(file);
    await refused('there is no such line');
    await refused('readonly');
  });

  it('a variant that nobody knows is refused with the names of those that are known', () => {
    expect(() => findVariant('better')).toThrow(/better.*lua-off-by-one/);
  });

  it('a copy runs its own sources, the broken ones', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'quicksale-broken-'));
    try {
      const copy = await makeBrokenCopy(findVariant('lua-off-by-one'), join(folder, 'copy'));
      const ask = `
        import { createMemoryStockLedger } from '${copy}/shared/src/stock-ledger/memory-stock-ledger.ts';
        import { ledgerKeys } from '@quicksale/shared/stock-ledger';
        const ledger = createMemoryStockLedger({ keys: ledgerKeys('', 1), now: () => 1 });
        const settings = { settingsVersion: 1, state: 'live', opensAtMs: 0, closesAtMs: 0,
          perBuyerLimit: 0, holdMs: 0, durability: 'safe' };
        const products = [{ productId: 'p', price: 1, away: false }];
        ledger.putSale({ saleId: 's', ...settings, products }, true);
        ledger.raise('s', 'p', 1);
        const one = (orderId) => ({ orderId, userId: 'u', kind: 'order', digest: orderId,
          fingerprint: 'f', facts: '', items: [{ productId: 'p', quantity: 1 }] });
        const replies = ledger.reserve('s', [one('a'), one('b'), one('c')]);
        console.log(replies.map(({ status }) => status).join(),
          import.meta.resolve('@quicksale/shared/stock-ledger'));`;
      const run = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', ask], {
        cwd: copy,
      });
      expect(run.stderr.toString()).toBe('');
      const [statuses, place] = run.stdout.toString().trim().split(' ');
      expect(statuses).toBe('reserved,reserved,sold_out');
      expect(place).toContain(folder.slice(1));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
