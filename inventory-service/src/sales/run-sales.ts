import { toAppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import { advanceSale, type AdvanceDeps } from './advance-sale.ts';
import { SaleChanged, saveOpen } from './save-sale.ts';
import type { TimedSaleStore } from './timed-sale-store.ts';

export interface RunSalesDeps extends AdvanceDeps {
  timedSales: AdvanceDeps['timedSales'] & Pick<TimedSaleStore, 'findDue'>;
  log: Logger;
}

const salesPerRound = 20;

/** Goes on with every sale that is due: a crash left it, its time is over, or units came back. */
export async function runSales(deps: RunSalesDeps): Promise<void> {
  for (const due of await deps.timedSales.findDue(new Date(deps.clock.now()), salesPerRound)) {
    try {
      // Whoever writes it first has it; the others look elsewhere.
      const sale = await advanceSale(deps, await saveOpen(deps, due));
      if (sale.stage !== due.stage)
        deps.log.info({ saleId: sale.id, from: due.stage, to: sale.stage }, 'a sale went on');
    } catch (error) {
      if (error instanceof SaleChanged) continue;
      // One sale under repair must not keep the others waiting.
      const level = toAppError(error).kind === 'unavailable' ? 'debug' : 'error';
      deps.log[level]({ err: error, saleId: due.id }, 'a sale waits');
    }
  }
}
