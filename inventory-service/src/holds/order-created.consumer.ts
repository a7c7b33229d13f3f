import type { ConsumerOptions } from '@quicksale/shared/bus';
import { orderCreated, type OrderCreated } from '@quicksale/shared/contracts';
import { answerCreated, type AnswerDeps } from './answer-created.ts';

/** Most ids in one reading of holds. */
const batchLimit = 500;

export function orderCreatedConsumer(deps: AnswerDeps): ConsumerOptions<OrderCreated> {
  return {
    contract: orderCreated,
    group: 'quicksale.inventory-service',
    batchLimit,
    handle: (batch) => answerCreated(deps, batch),
  };
}
