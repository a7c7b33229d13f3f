import { unitsByProduct, type StockLedger } from '@quicksale/shared/stock-ledger';
import { unitName } from './compare.ts';
import { driftKinds, type Drift, type Repair } from './drift.ts';

export interface RepairDeps {
  ledger: Pick<StockLedger, 'markUnrecorded' | 'release' | 'ship' | 'fence'>;
  /** Those that are switched on. */
  repairs: ReadonlySet<Repair>;
}

/** Orders of one ledger call. */
const ordersPerCall = 100;

/**
 * Mends what can be mended of a sale that was judged, and fences it for what cannot: the rebuild
 * then writes it anew. All of it is harmless when the drift is over, or when somebody else is at it:
 * a unit in the record is the token, and a fence names the epoch that the evidence is of. Resolves to
 * the repairs that were made.
 */
export async function repairDrifts(
  deps: RepairDeps,
  saleId: string,
  epoch: number,
  drifts: readonly Drift[],
): Promise<Set<Repair>> {
  const byRepair = Map.groupBy(drifts, ({ kind }): Repair | undefined => driftKinds[kind]);
  const done = new Set<Repair>();
  for (const [repair, ofRepair] of byRepair) {
    if (repair === undefined || !deps.repairs.has(repair)) continue;
    if (repair === 'fence') await deps.ledger.fence(saleId, epoch);
    else await mend(deps, repair, saleId, ofRepair);
    done.add(repair);
  }
  return done;
}

async function mend(
  { ledger }: RepairDeps,
  repair: Exclude<Repair, 'fence'>,
  saleId: string,
  drifts: readonly Drift[],
): Promise<void> {
  const orders = [...Map.groupBy(drifts, ({ orderId = '' }) => orderId)];
  for (let from = 0; from < orders.length; from += ordersPerCall) {
    const slice = orders.slice(from, from + ordersPerCall);
    const named = slice.map(([orderId, ofOrder]) => ({
      orderId,
      units: unitsByProduct(
        ofOrder.map(({ productId = '', unit = 0 }) => unitName(saleId, { productId, unit })),
      ),
    }));
    switch (repair) {
      case 'mark-unrecorded':
        await ledger.markUnrecorded(
          saleId,
          named.map(({ orderId }) => orderId),
        );
        break;
      case 'release':
        await ledger.release(saleId, named);
        break;
      case 'ship':
        await ledger.ship(saleId, named);
        break;
      default:
        repair satisfies never;
    }
  }
}
