import type { Order } from '@quicksale/shared/orders';
import type { HoldRecord } from '@quicksale/shared/stock-ledger';
import { attemptName, type Acknowledged, type History } from './buyers.ts';
import type { Shop } from './shop.ts';
import type { LedgerServer } from './simulated-ledger.ts';
import { statusGraph } from '../status-graph.ts';

/** What is watched while the simulation runs; each sentence begins with the invariant that it breaks. */
export interface Invariants {
  /** Looks at everything as it is at this instant. */
  look(): void;
  /**
   * The ledger has lost data: until it has been repaired, only MongoDB is held to its word. What was
   * in flight then, known to the lost server alone, is excused from limit and key; `all` is when a
   * server that was replaced went on working for a while.
   */
  doubtLedger(lost: LedgerServer, inFlight: 'known' | 'all'): void;
  /** The ledger has lost data in this history: then a promise of a `fast` sale may be lost with it. */
  hasLost(): boolean;
  /** Whether an order, or a buyer in a sale, had something in flight when the ledger was lost. */
  isExcused(who: string): boolean;
  /** Where ledger and MongoDB still differ, now that the faults are over; nothing when all is mended. */
  findDrift(): string[];
  /** All is over and quiet: what holds now holds without exceptions. */
  lookAtRest(): void;
  /** Things that were not judged, because the ledger had lost data. */
  excused(): number;
}

export function createInvariants(shop: Shop, history: History): Invariants {
  const { world, mongo } = shop;
  const seen = new Map<string, { status: string; version: number }>();
  const kept = new Map<Order, number>();
  let isDoubted = false;
  let hasLost = false;
  let excused = 0;
  let areAllExcused = false;
  /** Order ids, and `<saleId> <userId>`. */
  const inFlight = new Set<string>();
  const isExcused = (who: string) => areAllExcused || inFlight.has(who);
  const told = new Set<string>();
  let report = (what: string) => {
    if (told.has(what)) return;
    told.add(what);
    world.violate(what);
  };
  const violate = (what: string) => report(what);

  function lookAtOrders(orders: readonly Order[]): void {
    const owners = new Map<string, string>();
    const keys = new Map<string, string>();
    const ids = new Set<string>();
    for (const order of orders) {
      ids.add(order.id);
      for (const unit of order.units ?? []) {
        const other = owners.get(unit);
        if (other) violate(`I2: ${unit} belongs to ${other} and to ${order.id}`);
        owners.set(unit, order.id);
        const [saleId = '', productId = '', number = ''] = unit.split(':');
        if (Number(number) > shop.lastUnit(saleId, productId))
          violate(`I2: ${order.id} owns ${unit}, which never came in`);
      }
      lookAtSteps(order);
      const name = attemptName({ userId: order.userId, key: order.idempotencyKey });
      const twin = keys.get(name);
      const isNewKey = isFast(order.saleId) && hasLost;
      if (twin && !isNewKey) violate(`I3: ${twin} and ${order.id} are orders of one key`);
      keys.set(name, order.id);
      if (order.kind === 'house') continue;
      const attempt = history.attempts.get(name);
      const isAsked = attempt?.items.every(({ productId, quantity }) =>
        order.items.some((item) => item.productId === productId && item.quantity === quantity),
      );
      if (!isAsked || attempt?.items.length !== order.items.length)
        violate(`I5: nobody asked for ${order.id}`);
    }
    for (const id of seen.keys()) if (!ids.has(id)) violate(`I4: ${id} is gone`);
  }

  function lookAtSteps({ id, status, version, history: steps }: Order): void {
    const before = seen.get(id);
    seen.set(id, { status, version });
    if (before?.version === version) {
      if (before.status !== status) violate(`I7: ${id} became ${status} without a version`);
      return;
    }
    if (before && version < before.version) violate(`I7: ${id} went back to version ${version}`);
    steps.forEach((step, index) => {
      if (step.version !== index + 1) violate(`I7: ${id} has no version ${index + 1}`);
      const from = steps[index - 1]?.to;
      if (from !== undefined && from !== step.to && !statusGraph[from]?.includes(step.to))
        violate(`I7: ${id} went from ${from} to ${step.to}`);
    });
    if (steps.at(-1)?.to !== status || steps.length !== version)
      violate(`I7: ${id} is ${status} in version ${version}, which its history does not say`);
  }

  const isFast = (saleId: string) => shop.sales.find((s) => s.id === saleId)?.durability === 'fast';

  function lookAtPromises(byId: ReadonlyMap<string, Order>, isAtRest: boolean): void {
    for (const one of history.acknowledged) {
      const order = byId.get(one.order.id);
      if (one.isFast && hasLost && (!order || order.status === 'FAILED')) {
        excused += Number(isAtRest);
        continue;
      }
      if (!order) {
        if (!one.isFast || isAtRest) violate(`I4: ${one.order.id} was promised and is not there`);
      } else lookAtPromise(one, order);
    }
  }

  function lookAtPromise({ order: promised, attempt }: Acknowledged, order: Order): void {
    // Nothing but a new version could break it.
    if (kept.get(promised) === order.version) return;
    kept.set(promised, order.version);
    const isSame =
      order.userId === attempt.userId &&
      order.totalAmount === promised.totalAmount &&
      JSON.stringify(order.items) === JSON.stringify(promised.items);
    if (!isSame) violate(`I4: ${order.id} is not what was promised`);
    if (order.status === 'FAILED') violate(`I4: ${order.id} was promised and is FAILED`);
  }

  /** The ledger against itself, at every instant at which it may be sold from. */
  function lookAtLedger(): void {
    const { sales } = shop.ledger.current().memory.state;
    for (const [saleId, { settings, lines, free, holds }] of sales) {
      if (settings.fenced) continue;
      for (const [productId, line] of lines) {
        const { last, next = 1, available = 0, gone = 0 } = line;
        if (last === undefined) continue;
        const place = `${saleId.slice(-4)} ${productId.slice(-4)}`;
        const back = free.get(productId) ?? [];
        const held = [...holds.values()].flatMap(({ units }) => units[productId] ?? []);
        const all = new Set([...back, ...held]);
        if (available < 0) violate(`I2: ${place} has ${available} available`);
        if (all.size < back.length + held.length) violate(`I2: ${place} has a unit in two places`);
        if ([...all].some((unit) => unit >= next)) violate(`I2: ${place} holds a unit not issued`);
        if (available !== back.length + last - next + 1)
          violate(`I1: ${place} counts ${available} available`);
        if (available + held.length + gone !== last)
          violate(`I1: ${place}: ${available} + ${held.length} + ${gone} is not ${last}`);
      }
    }
  }

  /** The ledger against MongoDB. */
  function lookAtBoth(byId: ReadonlyMap<string, Order>, isAtRest: boolean): void {
    const { memory } = shop.ledger.current();
    for (const [saleId, sale] of memory.state.sales) {
      if (sale.settings.fenced) continue;
      const marks = memory.state.unrecorded.get(shop.ledger.keys.sale(saleId).unrecorded);
      for (const record of sale.holds.values()) {
        const isMarked = marks?.has(`${saleId}/${record.orderId}`) === true;
        if (isAtRest && isMarked) violate(`I1: ${record.orderId} is still not recorded`);
        if (!isMarked) lookAtRecord(saleId, record, byId.get(record.orderId), isAtRest);
      }
      lookAtOwners(saleId, byId, sale.holds);
      lookAtBuyers(saleId, byId, sale.holds);
      for (const [productId, { gone = 0 }] of sale.lines) {
        const sold = [...byId.values()]
          .filter((order) => order.saleId === saleId && order.inventoryStatus === 'SOLD')
          .flatMap((order) =>
            (order.units ?? []).filter((unit) => unit.split(':')[1] === productId),
          );
        const left = sold.filter((unit) => !isHeld(sale.holds, unit));
        if (left.length !== gone)
          violate(`I1: ${saleId.slice(-4)} counts ${gone} gone, of ${left.length} sold`);
      }
    }
  }

  const isHeld = (holds: ReadonlyMap<string, HoldRecord>, unit: string, orderId?: string) => {
    const [, productId = '', number] = unit.split(':');
    const has = (record: HoldRecord | undefined) =>
      record?.units[productId]?.includes(Number(number)) === true;
    return orderId === undefined ? [...holds.values()].some(has) : has(holds.get(orderId));
  };

  function lookAtRecord(
    saleId: string,
    { orderId, units }: HoldRecord,
    order: Order | undefined,
    isAtRest: boolean,
  ): void {
    if (!order) return violate(`I1: a record of ${orderId}, which is nowhere`);
    const isSold = order.inventoryStatus === 'SOLD';
    const onItsWay = isAtRest ? [] : [...(order.releasing ?? []), ...(order.shipping ?? [])];
    const mine = new Set([...(isSold ? [] : (order.units ?? [])), ...onItsWay]);
    for (const [productId, numbers] of Object.entries(units))
      for (const number of numbers)
        if (!mine.has(`${saleId}:${productId}:${number}`))
          violate(`I1: the ledger holds ${productId.slice(-4)}:${number} for ${orderId} in vain`);
  }

  /** Units that documents own are in their records, until they are sold. */
  function lookAtOwners(
    saleId: string,
    byId: ReadonlyMap<string, Order>,
    holds: ReadonlyMap<string, HoldRecord>,
  ): void {
    for (const { id, saleId: own, inventoryStatus, units = [] } of byId.values()) {
      if (own !== saleId || inventoryStatus === 'SOLD') continue;
      for (const unit of units)
        if (!isHeld(holds, unit, id))
          violate(`I1: the ledger has forgotten that ${id} owns ${unit}`);
    }
  }

  /**
   * After a loss: a server that was checked sells nothing of which it has forgotten whose it is. What
   * was in flight lands when it may, and is a sign then.
   */
  function lookAtAdmitted(byId: ReadonlyMap<string, Order>): void {
    const { memory, admitted, runId } = shop.ledger.current();
    for (const { id, saleId, inventoryStatus, units = [] } of byId.values()) {
      const sale = memory.state.sales.get(saleId);
      const isOpen = sale && !sale.settings.fenced;
      if (!isOpen || admitted.get(shop.ledger.keys.shardOf(saleId)) !== runId) continue;
      if (isExcused(id)) continue;
      for (const unit of units) {
        const [, productId = '', number = ''] = unit.split(':');
        const isForSale =
          Number(number) >= (sale.lines.get(productId)?.next ?? 0) ||
          sale.free.get(productId)?.includes(Number(number));
        const isSold = inventoryStatus === 'SOLD';
        const isForgotten = isSold ? isForSale : !isHeld(sale.holds, unit, id);
        if (isForgotten && !(isSold && hadOther(byId, id, unit)))
          violate(`I1: the ledger sells, and has forgotten that ${id} owns ${unit}`);
      }
    }
  }

  /**
   * Whether somebody else had a sold unit before. In a ledger that was set back to that time it is in
   * his record, so it is not for sale and the server is admitted; when his release is done again it is
   * free. The unit index keeps it from being sold twice, and the auditor closes the sale.
   */
  const hadOther = (byId: ReadonlyMap<string, Order>, ownerId: string, unit: string) =>
    [...byId.values()].some(
      ({ id, history: steps }) =>
        id !== ownerId && steps.some(({ released }) => released?.includes(unit)),
    );

  function lookAtBuyers(
    saleId: string,
    byId: ReadonlyMap<string, Order>,
    holds: ReadonlyMap<string, HoldRecord>,
  ): void {
    const limit = shop.sales.find(({ id }) => id === saleId)?.perBuyerLimit ?? 0;
    if (limit === 0) return;
    const counts = new Map<string, number>();
    const count = (userId: string, units: number) =>
      counts.set(userId, (counts.get(userId) ?? 0) + units);
    for (const { userId, kind, units } of holds.values())
      if (kind !== 'house') count(userId, Object.values(units).flat().length);
    for (const order of byId.values())
      if (order.saleId === saleId && order.kind === 'order')
        count(order.userId, (order.units ?? []).filter((unit) => !isHeld(holds, unit)).length);
    for (const [userId, units] of counts) {
      if (units <= limit) continue;
      if (isExcused(`${saleId} ${userId}`)) excused += 1;
      else violate(`I9: ${userId} owns ${units} units, the limit is ${limit}`);
    }
  }

  function lookAtEverything(isAtRest: boolean): void {
    const orders = mongo.orders.look();
    const byId = new Map(orders.map((order) => [order.id, order]));
    lookAtOrders(orders);
    lookAtPromises(byId, isAtRest);
    lookAtLedger();
    if (isDoubted) lookAtAdmitted(byId);
    else lookAtBoth(byId, isAtRest);
  }

  return {
    look: () => lookAtEverything(false),
    doubtLedger: (lost, which) => {
      isDoubted = true;
      hasLost = true;
      areAllExcused ||= which === 'all';
      const known = new Set(mongo.orders.look().map(({ id }) => id));
      for (const [saleId, { holds }] of lost.memory.state.sales)
        for (const { orderId, userId } of holds.values())
          if (!known.has(orderId)) inFlight.add(orderId).add(`${saleId} ${userId}`);
    },
    hasLost: () => hasLost,
    isExcused,
    findDrift: () => {
      const found: string[] = [];
      const loud = report;
      report = (what) => void found.push(what);
      lookAtBoth(new Map(mongo.orders.look().map((order) => [order.id, order])), true);
      report = loud;
      return found;
    },
    lookAtRest: () => {
      isDoubted = false;
      lookAtEverything(true);
      if (hasLost) return;
      // Nothing was lost: then there was nothing to close, and no hold without its mark.
      for (const [saleId, { settings }] of shop.ledger.current().memory.state.sales)
        if (settings.epoch !== 1) violate(`I1: ${saleId} was rebuilt, and nothing was lost`);
      for (const repair of ['fence', 'mark-unrecorded'])
        if (shop.repairs.has(repair))
          violate(`I1: the auditor had to ${repair}, and nothing was lost`);
    },
    excused: () => excused,
  };
}
