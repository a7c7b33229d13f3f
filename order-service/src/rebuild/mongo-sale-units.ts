import type { mongo as driver } from 'mongoose';
import { translateMongoError, withDeadline, type Mongo } from '@quicksale/shared/mongo';
import type { ReadSaleUnits } from './sale-units.ts';

/** Reads all orders of the sale, and the movements, which inventory-service writes. */
export function createMongoSaleUnits(mongo: Mongo): ReadSaleUnits {
  return async (saleId, productIds) => {
    try {
      const lastUnits = await withDeadline(
        Promise.all(productIds.map((productId) => readLastUnit(mongo, { saleId, productId }))),
      );
      // Without a deadline: a sale may have very many.
      return { owners: await readOwners(mongo, saleId), lastUnits: new Map(lastUnits) };
    } catch (error) {
      throw translateMongoError(error);
    }
  };
}

async function readOwners(mongo: Mongo, saleId: string): Promise<Map<string, string>> {
  const owners = new Map<string, string>();
  // In the order of what never changes: an order that is written to meanwhile is not missed.
  const orders = mongo
    .db()
    .collection<{ _id: driver.ObjectId; units?: string[] }>('orders')
    .find({ saleId, units: { $exists: true } }, { projection: { units: 1 } })
    .sort({ _id: 1 });
  for await (const { _id, units = [] } of orders)
    for (const unit of units) owners.set(unit, _id.toHexString());
  return owners;
}

async function readLastUnit(
  mongo: Mongo,
  place: { saleId: string; productId: string },
): Promise<[productId: string, lastUnit: number]> {
  const highest = await mongo
    .db()
    .collection<{ lastUnit: number }>('stock-movements')
    .findOne(place, { sort: { firstUnit: -1 } });
  return [place.productId, highest?.lastUnit ?? 0];
}
