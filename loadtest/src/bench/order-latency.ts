import { openStatusSocket } from '../client/index.ts';
import { quantiles } from './quantiles.ts';
import type { RunningStack } from './running-stack.ts';

const confirmationLimitMs = 30_000;

/**
 * Places orders one after another, each by a new buyer with an open socket, and prints how long it
 * takes from the 201 until the order reads CONFIRMED and until the socket says so.
 */
export async function measureOrderLatency(
  stack: RunningStack,
  orderCount: number,
  say: (line: string) => void,
): Promise<void> {
  const merchant = stack.sign('MERCHANT');
  const made = await stack.api.call('/api/inventory/products', {
    token: merchant.token,
    body: {
      name: 'Benchmark product',
      description: 'One unit per order',
      price: 49.99,
      stock: orderCount,
      sku: 'BENCH',
      category: 'bench',
    },
  });
  if (made.status !== 201) throw new Error(`no product: ${made.text}`);
  const productId = (made.body.product as { _id: string })._id;

  const accepted: number[] = [];
  const read: number[] = [];
  const pushed: number[] = [];
  for (let index = 0; index < orderCount; index += 1) {
    const times = await placeOne(stack, productId, `bench-${index}`);
    accepted.push(times.accepted);
    read.push(times.read);
    pushed.push(times.pushed);
  }

  say(`${orderCount} orders one after another; ${stack.machine}`);
  say(`stock ${orderCount}; gateway, tokens, idempotency keys and rate limits on`);
  say(quantiles('request to 201', accepted));
  say(quantiles('201 to CONFIRMED in GET', read));
  say(quantiles('201 to CONFIRMED on the socket', pushed));
  await audit(stack, { productId, saleId: merchant.userId, orderCount }, say);
}

async function placeOne(stack: RunningStack, productId: string, key: string) {
  const { token } = stack.sign('CUSTOMER');
  const socket = await openStatusSocket(stack.socketUrl, token);
  await socket.waitFor(({ type }) => type === 'welcome');
  const sentAt = performance.now();
  const answer = await stack.api.placeOrder({ token, key, productId });
  const answeredAt = performance.now();
  if (answer.status !== 201) throw new Error(`not accepted: ${answer.text}`);
  const orderId = (answer.body.order as { _id: string })._id;
  const [read, pushed] = await Promise.all([
    untilConfirmed(stack, token, orderId),
    socket
      .waitFor(({ data }) => data.orderId === orderId && data.status === 'CONFIRMED')
      .then(() => performance.now()),
  ]);
  socket.close();
  return {
    accepted: answeredAt - sentAt,
    read: read - answeredAt,
    pushed: pushed - answeredAt,
  };
}

/** Looks every few milliseconds, which is also the resolution of the figure. */
async function untilConfirmed(stack: RunningStack, token: string, orderId: string) {
  const deadline = performance.now() + confirmationLimitMs;
  while (performance.now() < deadline) {
    const { body } = await stack.api.call(`/api/orders/${orderId}`, { token });
    if (body.status === 'CONFIRMED') return performance.now();
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  throw new Error(`order ${orderId} did not become CONFIRMED`);
}

/** A figure counts only when the books of its sale are right. */
async function audit(
  stack: RunningStack,
  sale: { productId: string; saleId: string; orderCount: number },
  say: (line: string) => void,
): Promise<void> {
  const orders = stack.mongo.db().collection('orders');
  const confirmed = await orders.countDocuments({ saleId: sale.saleId, status: 'CONFIRMED' });
  const snapshot = await stack.ledger.snapshot(sale.saleId);
  if (typeof snapshot === 'string') throw new Error(`the ledger says ${snapshot}`);
  const line = snapshot.products[sale.productId];
  const used = (line?.last ?? 0) - (line?.available ?? 0);
  const held = snapshot.records.flatMap(({ units }) => units[sale.productId] ?? []).length;
  const isRight = [used, held, confirmed].every((count) => count === sale.orderCount);
  say(
    `audit: sold ${sale.orderCount} = stock used ${used} = orders ${confirmed} = ledger ${held}: ` +
      (isRight ? 'ok' : 'WRONG'),
  );
  if (!isRight) process.exitCode = 1;
}
