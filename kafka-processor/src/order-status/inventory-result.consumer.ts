import type { EventBus } from '@quicksale/shared/bus';
import { inventoryResult } from '@quicksale/shared/contracts';
import type { Part } from '@quicksale/shared/process';
import { applyResults, type ApplyResultsDeps } from './apply-results.ts';

/** Binds `inventory.result` to the use case. */
export const inventoryResultConsumer = (bus: EventBus, deps: ApplyResultsDeps): Part =>
  bus.createConsumer({
    contract: inventoryResult,
    group: 'quicksale.kafka-processor',
    handle: (batch) => applyResults(deps, batch),
  });
