import { mongo as driver } from 'mongoose';
import type { Order } from './order.ts';
import type { MerchantOrdersFilter } from './order-store.ts';

export type OrderDocument = Omit<Order, 'id'> & { _id: driver.ObjectId };

type Filter = Omit<MerchantOrdersFilter, 'limit'>;

/** Documents of all merchants that a page looks at first, the newest ones. */
const nearest = 1_000;
/** Behind these it looks at this much time, and each time at so much more. */
const firstWindowMs = 3_600_000;
const widening = 100;
/** An order's id is made by the clock of another machine, before the ledger says when it was placed. */
const idSlackMs = 3_600_000;

/** Found documents, newest first, and the id below which the next page begins. */
export interface FoundOrders {
  documents: OrderDocument[];
  next: string | undefined;
}

/**
 * A page of the orders of a merchant, or of all of them. DocumentDB reads only `_id_` in order: from
 * any other index it takes all that fits and sorts it, 100,000 orders in 130 ms. So the newest
 * documents are looked at in the order of ids, which serves whoever sells now; and what is missing
 * then is looked for with the merchant's index in windows of time that grow. Where no index serves
 * the filter a page may be short, or empty, and still have a next one.
 */
export async function findOfMerchant(
  orders: driver.Collection<OrderDocument>,
  { limit, ...filter }: MerchantOrdersFilter,
): Promise<FoundOrders> {
  const wanted = matching(filter);
  const floor = firstIdAt(filter.from ? filter.from.getTime() - idSlackMs : 0);
  const documents: OrderDocument[] = [];
  let below = startOf(filter);

  const look = async (from: string, hint: string): Promise<void> => {
    const found = await orders
      .find({ ...wanted, _id: { $gte: objectId(from), $lt: objectId(below) } })
      .sort({ _id: -1 })
      .limit(limit + 1 - documents.length)
      .hint(hint)
      .toArray();
    documents.push(...found);
    below = from;
  };

  const [farthest] = await orders
    .find({ _id: { $lt: objectId(below) } }, { projection: { _id: 1 } })
    .sort({ _id: -1 })
    .skip(nearest - 1)
    .limit(1)
    .hint('_id_')
    .toArray();
  await look(later(farthest?._id.toHexString() ?? floor, floor), '_id_');
  const index = indexFor(filter);
  let windowMs = firstWindowMs;
  while (index && documents.length <= limit && below > floor) {
    await look(later(firstIdAt(msOf(below) - windowMs), floor), index);
    windowMs *= widening;
  }
  if (documents.length > limit)
    return { documents: documents.slice(0, limit), next: documents[limit - 1]?._id.toHexString() };
  return { documents, next: below > floor ? below : undefined };
}

function matching({ merchantId, status, saleId, from, to }: Filter): driver.Filter<OrderDocument> {
  return {
    kind: 'order',
    ...(merchantId && { merchantId }),
    ...(status && { status }),
    ...(saleId && { saleId }),
    ...((from ?? to) && { createdAt: { ...(from && { $gte: from }), ...(to && { $lt: to }) } }),
  };
}

/** Ids as text, which are in the same order. A cursor is never newer than the time asked for. */
const startOf = ({ before, to }: Filter): string =>
  before ?? (to ? firstIdAt(to.getTime() + idSlackMs) : 'f'.repeat(24));

/** An index of few enough documents; none serves a status of all merchants. */
function indexFor({ merchantId, status, saleId }: Filter): string | undefined {
  if (merchantId && status) return 'merchantId_1_status_1__id_1';
  if (saleId) return 'saleId_1__id_1';
  return merchantId && 'merchantId_1__id_1';
}

const later = (a: string, b: string): string => (a > b ? a : b);
const objectId = (id: string) => new driver.ObjectId(id);
const msOf = (id: string) => objectId(id).getTimestamp().getTime();

function firstIdAt(ms: number): string {
  const seconds = Math.min(Math.max(Math.floor(ms / 1_000), 0), 0xff_ff_ff_ff);
  return driver.ObjectId.createFromTime(seconds).toHexString();
}
