import { describe, expect, it } from '@jest/globals';
import { ledgerKeys } from './keys.ts';

const saleId = '65a1b2c3d4e5f60718293a4b';

describe('ledger keys', () => {
  it('a sale keeps its shard for ever: crc32 of its id, modulo the number of shards', () => {
    // Figures of `python3 -c "import zlib; print(zlib.crc32(b'...') % n)"`.
    expect(ledgerKeys('', 16).shardOf(saleId)).toBe(7);
    expect(ledgerKeys('', 1).shardOf(saleId)).toBe(0);
    expect(ledgerKeys('other', 16).shardOf(saleId)).toBe(ledgerKeys('', 16).shardOf(saleId));
  });

  it('all keys of a shard carry one hash tag, so that they live on one node', () => {
    const keys = ledgerKeys('ns', 16);
    const all = [
      ...Object.values(keys.sale(saleId)),
      keys.idem(saleId, 'd'),
      keys.free(saleId, 'p'),
      keys.admitted(7),
      keys.due(7),
      keys.unrecorded(7),
    ];
    for (const key of all) expect(key).toMatch(/^ns:ql:\{7\}:[^{}]+$/);
  });

  it('are named as the design says', () => {
    const keys = ledgerKeys('', 16);
    expect(keys.sale(saleId)).toEqual({
      admitted: 'ql:{7}:admitted',
      sale: `ql:{7}:sale:${saleId}`,
      stock: `ql:{7}:stock:${saleId}`,
      buyers: `ql:{7}:buyers:${saleId}`,
      holds: `ql:{7}:holds:${saleId}`,
      due: 'ql:{7}:due',
      unrecorded: 'ql:{7}:unrecorded',
      bare: `ql:{7}:bare:${saleId}`,
    });
    expect(keys.idem(saleId, 'abc')).toBe('ql:{7}:idem:abc');
    expect(keys.free(saleId, 'p')).toBe(`ql:{7}:free:${saleId}:p`);
    expect(keys.shardCount).toBe('ql:{0}:shards');
  });

  it('sales spread over the shards', () => {
    const { shardOf } = ledgerKeys('', 16);
    const counts = new Map<number, number>();
    for (let n = 0; n < 1_600; n += 1) {
      const shard = shardOf(n.toString(16).padStart(24, '0'));
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    expect(counts.size).toBe(16);
    expect(Math.max(...counts.values())).toBeLessThan(200);
  });
});
