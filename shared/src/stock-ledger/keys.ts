import { crc32 } from 'node:zlib';

/** Where the ledger keeps things. All keys of a shard share a hash tag, so one script can use them. */
export interface LedgerKeys {
  shards: number;
  shardOf(saleId: string): number;
  admitted(shard: number): string;
  due(shard: number): string;
  unrecorded(shard: number): string;
  sale(saleId: string): SaleKeys;
  idem(saleId: string, digest: string): string;
  free(saleId: string, productId: string): string;
  /** How many shards this ledger was made with. */
  shardCount: string;
}

export interface SaleKeys {
  admitted: string;
  sale: string;
  stock: string;
  buyers: string;
  holds: string;
  due: string;
  unrecorded: string;
  bare: string;
}

/** Key names for a namespace and a number of shards. Shard = crc32(saleId) mod shards. */
export function ledgerKeys(namespace: string, shards: number): LedgerKeys {
  const prefix = namespace ? `${namespace}:` : '';
  const inShard = (shard: number, rest: string) => `${prefix}ql:{${shard}}:${rest}`;
  const shardOf = (saleId: string) => crc32(saleId) % shards;
  const ofSale = (saleId: string, rest: string) => inShard(shardOf(saleId), rest);
  return {
    shards,
    shardOf,
    admitted: (shard) => inShard(shard, 'admitted'),
    due: (shard) => inShard(shard, 'due'),
    unrecorded: (shard) => inShard(shard, 'unrecorded'),
    sale: (saleId) => ({
      admitted: ofSale(saleId, 'admitted'),
      sale: ofSale(saleId, `sale:${saleId}`),
      stock: ofSale(saleId, `stock:${saleId}`),
      buyers: ofSale(saleId, `buyers:${saleId}`),
      holds: ofSale(saleId, `holds:${saleId}`),
      due: ofSale(saleId, 'due'),
      unrecorded: ofSale(saleId, 'unrecorded'),
      bare: ofSale(saleId, `bare:${saleId}`),
    }),
    idem: (saleId, digest) => ofSale(saleId, `idem:${digest}`),
    free: (saleId, productId) => ofSale(saleId, `free:${saleId}:${productId}`),
    shardCount: inShard(0, 'shards'),
  };
}
