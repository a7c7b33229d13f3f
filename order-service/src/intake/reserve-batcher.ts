import type { ReserveReply, ReserveRequest, StockLedger } from '@quicksale/shared/stock-ledger';

export interface ReserveBatcher {
  /** One order's reservation, made together with those that arrive in the same event-loop turn. */
  reserve(saleId: string, request: ReserveRequest): Promise<ReserveReply>;
  /** Notes that an order is in MongoDB; the sale's next call, or a short timer, strikes it off. */
  noteRecorded(saleId: string, orderId: string): void;
  /** Strikes off what is noted. */
  drain(): Promise<void>;
}

interface Waiting {
  request: ReserveRequest;
  resolve: (reply: ReserveReply) => void;
  reject: (error: unknown) => void;
}

interface SaleQueue {
  waiting: Waiting[];
  recorded: string[];
  inFlight: number;
  scheduled: boolean;
}

/** Bounds of reserve.lua, with room: orders, named products and struck-off ids of one call. */
const ordersPerCall = 128;
const productsPerCall = 500;
const recordedPerCall = 500;
const callsInFlight = 2;
const strikeOffDelayMs = 200;

/**
 * Turns the orders of one event-loop turn into one script call per sale: one fsync of the ledger
 * then serves them all. `defer` runs a function at the end of the turn, `after` after so long.
 */
export function createReserveBatcher(options: {
  ledger: Pick<StockLedger, 'reserve' | 'strikeOff'>;
  defer: (flush: () => void) => void;
  after: (delayMs: number, work: () => void) => void;
}): ReserveBatcher {
  const sales = new Map<string, SaleQueue>();
  let isToStrikeOff = false;

  function queueOf(saleId: string): SaleQueue {
    let queue = sales.get(saleId);
    if (!queue) {
      queue = { waiting: [], recorded: [], inFlight: 0, scheduled: false };
      sales.set(saleId, queue);
    }
    return queue;
  }

  function schedule(saleId: string, queue: SaleQueue): void {
    if (queue.scheduled) return;
    queue.scheduled = true;
    options.defer(() => {
      queue.scheduled = false;
      startCalls(saleId, queue);
    });
  }

  function startCalls(saleId: string, queue: SaleQueue): void {
    while (queue.waiting.length > 0 && queue.inFlight < callsInFlight) {
      queue.inFlight += 1;
      void runCall(
        saleId,
        takeBatch(queue.waiting),
        queue.recorded.splice(0, recordedPerCall),
      ).then(() => {
        queue.inFlight -= 1;
        startCalls(saleId, queue);
        forgetIfIdle(saleId, queue);
      });
    }
  }

  async function runCall(
    saleId: string,
    batch: readonly Waiting[],
    recorded: readonly string[],
  ): Promise<void> {
    try {
      const requests = batch.map(({ request }) => request);
      const replies = await options.ledger.reserve(saleId, requests, recorded);
      batch.forEach(({ resolve, reject }, index) => {
        const reply = replies[index];
        if (reply) resolve(reply);
        else reject(new Error('the ledger gave too few answers'));
      });
    } catch (error) {
      // Ids that were not struck off are found by the sweep.
      for (const { reject } of batch) reject(error);
    }
  }

  function forgetIfIdle(saleId: string, queue: SaleQueue): void {
    const busy = queue.inFlight > 0 || queue.waiting.length > 0 || queue.scheduled;
    if (!busy && queue.recorded.length === 0) sales.delete(saleId);
  }

  async function strikeOffLeftovers(): Promise<void> {
    isToStrikeOff = false;
    for (const [saleId, queue] of [...sales]) {
      while (queue.recorded.length > 0) {
        const orderIds = queue.recorded.splice(0, recordedPerCall);
        // The sweep strikes off what this cannot.
        await options.ledger.strikeOff(saleId, orderIds).catch(() => undefined);
      }
      forgetIfIdle(saleId, queue);
    }
  }

  return {
    reserve: (saleId, request) =>
      new Promise((resolve, reject) => {
        const queue = queueOf(saleId);
        queue.waiting.push({ request, resolve, reject });
        schedule(saleId, queue);
      }),
    noteRecorded: (saleId, orderId) => {
      queueOf(saleId).recorded.push(orderId);
      if (isToStrikeOff) return;
      isToStrikeOff = true;
      options.after(strikeOffDelayMs, () => void strikeOffLeftovers());
    },
    drain: strikeOffLeftovers,
  };
}

function takeBatch(waiting: Waiting[]): Waiting[] {
  let products = 0;
  let size = 0;
  while (size < waiting.length && size < ordersPerCall) {
    const request = waiting[size]?.request;
    products += (request?.items.length ?? 0) + (request?.holdProductIds?.length ?? 0);
    if (size > 0 && products > productsPerCall) break;
    size += 1;
  }
  return waiting.splice(0, size);
}
