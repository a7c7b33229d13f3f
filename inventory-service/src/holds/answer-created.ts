import type { Bus, Delivered } from '@quicksale/shared/bus';
import {
  inventoryResult,
  type OrderCreated,
  type Outcome,
  type OutgoingEvent,
} from '@quicksale/shared/contracts';
import { unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { Order, OrderStore } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';

export interface AnswerDeps {
  ledger: Pick<StockLedger, 'readHolds' | 'fence'>;
  orders: Pick<OrderStore, 'findByIds'>;
  bus: Bus;
  log: Logger;
}

type Created = Delivered<OrderCreated>;
interface Answer {
  outcome: Outcome;
  paymentRequired: boolean;
  reason?: string;
}

/**
 * Answers whether the holds of new orders are in the ledger. What cannot be judged now (a fenced
 * sale) gets no answer: the outbox scan of order-service asks again.
 */
export async function answerCreated(deps: AnswerDeps, batch: readonly Created[]): Promise<void> {
  const results: OutgoingEvent[] = [];
  for (const [saleId, events] of bySale(batch)) {
    const answers = await judgeSale(deps, saleId, [...new Set(events.map((e) => e.data.orderId))]);
    for (const event of events) {
      const answer = answers.get(event.data.orderId);
      if (answer) results.push(toResult(event, answer));
    }
  }
  if (results.length === 0) return;
  await deps.bus.publish(results);
  faultPoint('after-result-sent');
}

/** Answers by order id; an order without one is not to be answered now. */
async function judgeSale(
  deps: AnswerDeps,
  saleId: string,
  orderIds: readonly string[],
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  const holds = await deps.ledger.readHolds(saleId, orderIds);
  if (holds === 'not_admitted') throw unavailable('The stock ledger is being checked');
  if (holds === 'fenced') {
    deps.log.info({ saleId, orders: orderIds.length }, 'orders of a fenced sale are not answered');
    return answers;
  }
  const missing: string[] = [];
  orderIds.forEach((orderId, index) => {
    const record = holds.records[index];
    if (record)
      answers.set(orderId, { outcome: 'RESERVED', paymentRequired: record.expiresAt > 0 });
    else missing.push(orderId);
  });
  if (missing.length === 0) return answers;

  // Read after the record was found missing: a document gives its units up before its record goes.
  const documents = await deps.orders.findByIds(missing);
  const byId = new Map(documents.map((order) => [order.id, order]));
  const lost = missing.filter((orderId) => {
    const answer = judgeWithoutHold(byId.get(orderId));
    if (answer) answers.set(orderId, answer);
    return !answer;
  });
  if (lost.length > 0) await fenceSale(deps, saleId, holds.epoch, lost);
  return answers;
}

/** Undefined: the order must have a hold and has none. */
function judgeWithoutHold(order: Order | undefined): Answer | undefined {
  if (order?.inventoryStatus === 'SOLD')
    return { outcome: 'RESERVED', paymentRequired: order.expiresAt !== null };
  const owns = order?.units !== undefined && order.units.length > 0;
  if (owns && (order.inventoryStatus === 'PENDING' || order.inventoryStatus === 'RESERVED'))
    return undefined;
  return { outcome: 'REJECTED', paymentRequired: false, reason: 'the order holds no units' };
}

async function fenceSale(
  { ledger, log }: AnswerDeps,
  saleId: string,
  epoch: number,
  orderIds: readonly string[],
): Promise<void> {
  const answer = await ledger.fence(saleId, epoch);
  if (answer === 'not_admitted') throw unavailable('The stock ledger is being checked');
  log.error(
    { saleId, epoch, orderIds: orderIds.slice(0, 10), orders: orderIds.length },
    'the ledger lost holds of a sale; the sale is fenced and needs a rebuild',
  );
}

function toResult({ id, data, context }: Created, answer: Answer): OutgoingEvent {
  const { orderId, orderNumber, userId, saleId } = data;
  return inventoryResult.event(
    { orderId, orderNumber, userId, saleId, ...answer, causationId: id },
    context,
  );
}

function bySale(batch: readonly Created[]): Map<string, Created[]> {
  const groups = new Map<string, Created[]>();
  for (const event of batch) {
    const group = groups.get(event.data.saleId);
    if (group) group.push(event);
    else groups.set(event.data.saleId, [event]);
  }
  return groups;
}
