import type { Mongo } from '@quicksale/shared/mongo';
import type { RedisServers } from '@quicksale/shared/redis';
import type { LedgerKeys } from '@quicksale/shared/stock-ledger';

const agoMs = 60_000;

/**
 * As if time had passed: whatever of the orders of a sale was to be looked at later, or is kept by the
 * lease of somebody who died, is due now. What nobody has written down stays unknown.
 */
export async function makeDue(
  stores: { mongo: Mongo; servers: RedisServers; keys: LedgerKeys },
  saleId: string,
): Promise<void> {
  const db = stores.mongo.db();
  const past = new Date(Date.now() - agoMs);
  const orders = db.collection('orders');
  const ofSale = await orders.find({ saleId }, { projection: { _id: 1 } }).toArray();
  await orders.updateMany({ saleId, outboxAt: { $exists: true } }, { $set: { outboxAt: past } });
  const ids = ofSale.map(({ _id }) => String(_id));
  for (const mark of ['checkAt', 'attempt.until'])
    await db
      .collection<{ _id: string }>('payments')
      .updateMany({ _id: { $in: ids }, [mark]: { $exists: true } }, { $set: { [mark]: past } });
  const { due, unrecorded } = stores.keys.sale(saleId);
  for (const key of [due, unrecorded]) {
    const { client } = stores.servers.serverOf(key);
    const entries = await client.zrange(key, 0, '-1');
    for (const entry of entries.filter((one) => one.startsWith(`${saleId}/`)))
      await client.zincrby(key, -agoMs, entry);
  }
}
