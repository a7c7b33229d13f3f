import { timedSettings } from '@quicksale/inventory-service/src/sales/timed-sale.ts';
import type { Order } from '@quicksale/shared/orders';

import type { Shop } from './shop.ts';

const over = ['FAILED', 'CANCELLED', 'EXPIRED', 'REFUNDED'];

/** What is still to be done after the faults have stopped, by invariant; nothing when all is quiet. */
export function findUnfinished(shop: Shop): string[] {
  const { world, mongo, ledger, bus } = shop;
  const { memory, admitted, runId } = ledger.current();
  const { sales, unrecorded } = memory.state;
  const open: string[] = [];
  if ([...admitted.values()].some((run) => run !== runId) || admitted.size === 0)
    open.push('I6: the ledger is not admitted');
  if (world.underWay > 0) open.push('I6: writes are still to land');
  for (const { id } of shop.sales) {
    const sale = sales.get(id);
    for (const { orderId, expiresAt } of sale?.holds.values() ?? [])
      if (expiresAt > 0) open.push(`I10: ${orderId} has a deadline, and is neither paid nor over`);
    if (!sale || sale.settings.fenced) open.push(`I6: the sale ${id} is not open`);
    const stored = mongo.sales.get(id);
    const put = stored && timedSettings(stored);
    if (
      put?.settingsVersion !== sale?.settings.settingsVersion ||
      put?.state !== sale?.settings.state
    )
      open.push(`I13: the ledger has old settings of the sale ${id}`);
    for (const { productId, lastUnit } of mongo.movements.values())
      if ((sale?.lines.get(productId)?.last ?? 0) < lastUnit && sale?.lines.has(productId))
        open.push(`I1: the ledger lacks units of ${productId}`);
  }
  for (const set of unrecorded.values())
    for (const member of set.keys()) open.push(`I6: ${member} is unrecorded`);
  for (const order of mongo.orders.look()) open.push(...findOpen(order, world.now()));
  for (const payment of mongo.payments.values())
    if (payment.checkAt) open.push(`I11: the payment of ${payment.id} is not at rest`);
  for (const [group, topic] of groups)
    if (bus.lag(group, topic) > 0) open.push(`I6: ${group} lags behind`);
  return open;
}

const groups = [
  ['quicksale.inventory-service', 'order.created'],
  ['quicksale.kafka-processor', 'inventory.result'],
  ['quicksale.notifier-service', 'order.status'],
] as const;

function findOpen(order: Order, nowMs: number): string[] {
  const { id, status, expiresAt, outbox, releasing, shipping, repaying } = order;
  const open: string[] = [];
  if (order.kind === 'order' && status === 'PENDING') open.push(`I6: ${id} is PENDING`);
  // Whoever has a deadline is waited for: then it is paid or over.
  if (status === 'AWAITING_PAYMENT') {
    const isLate = expiresAt !== null && expiresAt.getTime() < nowMs;
    open.push(`${isLate ? 'I10' : 'I6'}: ${id} waits for money`);
  }
  if (outbox?.length) open.push(`I6: ${id} has an event to send`);
  if (releasing?.length) open.push(`I6: ${id} is releasing`);
  if (shipping?.length) open.push(`I6: ${id} is shipping`);
  if (repaying) open.push(`I11: ${id} has money to go back`);
  return open;
}

/** What must be true of money and messages once all is quiet. */
export function lookAtMoneyAndMail(shop: Shop): void {
  const { world, mongo } = shop;
  const mail = new Map<string, number>();
  for (const { id } of mongo.notifications.all()) mail.set(id, (mail.get(id) ?? 0) + 1);
  for (const order of mongo.orders.look()) {
    if (order.kind === 'house') continue;
    for (const { version } of order.history) {
      const stored = mail.get(`${order.id}:${version}`) ?? 0;
      if (version >= 2 && stored !== 1)
        world.violate(`I8: ${stored} notifications of ${order.id} version ${version}`);
    }
    lookAtMoney(shop, order);
  }
}

/** What is kept of a payment is what the order costs; of one that was never paid nothing is kept. */
function lookAtMoney({ world, mongo }: Shop, order: Order): void {
  const intents = [...mongo.intents.values()].filter(({ paymentId }) => paymentId === order.id);
  const kept = intents.reduce((sum, intent) => {
    const isTaken = intent.attempts.some(({ succeedsAt }) => succeedsAt);
    const back = intent.refunds.reduce((total, { amount }) => total + amount, 0);
    return sum + (isTaken ? intent.amount : 0) - back;
  }, 0);
  const isPaid = order.paymentStatus === 'PAID' || order.paymentStatus === 'PARTIALLY_REFUNDED';
  const cancelled = order.history.flatMap((step) => step.cancelled ?? []);
  const cost = order.items.reduce((sum, { productId, quantity, unitPrice }) => {
    const gone = cancelled.filter((one) => one.productId === productId);
    return sum + unitPrice * (quantity - gone.reduce((units, one) => units + one.quantity, 0));
  }, 0);
  const due = isPaid && !over.includes(order.status) ? cost : 0;
  if (kept !== due)
    world.violate(`I11: ${kept} is kept of ${order.id} (${order.status}), which costs ${due}`);
  const ends = order.history.filter(({ to, from }) => over.includes(to) && from !== to);
  if (ends.length > 1) world.violate(`I11: ${order.id} ended ${ends.length} times`);
}
