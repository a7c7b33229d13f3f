import type { LedgerProduct, LedgerSale, StoredOrder } from './store-state.ts';
import { isHeld, some, unitOf, type Evidence, type Findings } from './verdict.ts';

/**
 * I1 and I2: every unit number that came in is in exactly one place, and ledger, movements and orders
 * say the same of it. Nothing is aside: the shop was at rest.
 */
export function checkUnits({ state, losses }: Evidence, findings: Findings): void {
  const lastOf = new Map<string, number>();
  for (const { saleId, productId, lastUnit } of state.movements) {
    const line = `${saleId}:${productId}`;
    lastOf.set(line, Math.max(lastOf.get(line) ?? 0, lastUnit));
  }
  checkOwners(state.orders, lastOf, findings);
  const bySale = Map.groupBy(state.orders, ({ saleId }) => saleId);
  const saleIds = new Set([...lastOf.keys()].map((line) => unitOf(line).saleId));
  for (const saleId of new Set([...saleIds, ...bySale.keys()])) {
    const sale = state.ledger.sales[saleId];
    if (!sale) {
      findings.violation('I1', `the ledger does not know sale ${saleId}`);
      continue;
    }
    if (sale.settings.fenced === '1') findings.violation('I1', `sale ${saleId} is fenced`);
    // It was mended since; but it had gone wrong, and no fault of this run excuses that.
    if (losses.length === 0 && Number(sale.settings.epoch) > 1)
      findings.violation('I1', `sale ${saleId} was rebuilt, and no ledger was lost`);
    checkRecords(saleId, sale, bySale.get(saleId) ?? [], findings);
    const lines = [...lastOf].filter(([line]) => unitOf(line).saleId === saleId);
    for (const [line, last] of lines) {
      const { productId } = unitOf(line);
      const orders = bySale.get(saleId) ?? [];
      checkLine({ saleId, productId, last, sale, orders }, findings);
    }
  }
  for (const mark of state.ledger.unrecorded)
    findings.violation('I1', `hold ${mark} is still marked as unrecorded`);
}

/** A unit belongs to one order at most, and there is no unit that no movement brought. */
function checkOwners(
  orders: readonly StoredOrder[],
  lastOf: ReadonlyMap<string, number>,
  findings: Findings,
): void {
  const owners = new Map<string, string>();
  for (const { id, units = [], releasing = [], shipping = [] } of orders) {
    for (const unit of units) {
      const other = owners.get(unit);
      if (other) findings.violation('I2', `unit ${unit} belongs to ${other} and to ${id}`);
      owners.set(unit, id);
      const { saleId, productId, number } = unitOf(unit);
      const last = lastOf.get(`${saleId}:${productId}`) ?? 0;
      if (number > last || number < 1)
        findings.violation('I2', `order ${id} has unit ${unit}, of ${last} that came in`);
    }
    if (releasing.length + shipping.length > 0)
      findings.violation('I1', `order ${id} still carries marks of ${releasing.length} units`);
  }
}

/** Units of PENDING and RESERVED orders are those of the records, order by order. */
function checkRecords(
  saleId: string,
  sale: LedgerSale,
  orders: readonly StoredOrder[],
  findings: Findings,
): void {
  const inLedger = new Set(
    sale.records
      .filter(({ kind }) => kind !== 'bare')
      .flatMap(({ orderId, units }) =>
        Object.entries(units).flatMap(([productId, numbers]) =>
          numbers.map((number) => `${orderId} ${saleId}:${productId}:${number}`),
        ),
      ),
  );
  const inOrders = new Set(
    orders.filter(isHeld).flatMap(({ id, units = [] }) => units.map((unit) => `${id} ${unit}`)),
  );
  const lost = [...inOrders].filter((unit) => !inLedger.has(unit));
  const left = [...inLedger].filter((unit) => !inOrders.has(unit));
  if (lost.length > 0)
    findings.violation('I1', `${lost.length} units of orders are in no record: ${some(lost)}`);
  if (left.length > 0)
    findings.violation('I1', `${left.length} units in records are of no order: ${some(left)}`);
}

interface Line {
  saleId: string;
  productId: string;
  last: number;
  sale: LedgerSale;
  orders: readonly StoredOrder[];
}

function checkLine({ saleId, productId, last, sale, orders }: Line, findings: Findings): void {
  const name = `${saleId}:${productId}`;
  const line = sale.products[productId];
  if (!line) {
    if (last > 0) findings.violation('I1', `the ledger has no line of ${name}`);
    return;
  }
  const records = sale.records.filter(({ units }) => units[productId]);
  const numbers = records.flatMap(({ units }) => units[productId] ?? []);
  const withDeadline = records.filter(({ expiresAt }) => expiresAt > 0);
  const held = withDeadline.reduce((sum, { units }) => sum + (units[productId]?.length ?? 0), 0);
  const sold = orders
    .filter(({ inventoryStatus }) => inventoryStatus === 'SOLD')
    .flatMap(({ units = [] }) => units.map(unitOf))
    .filter((unit) => unit.productId === productId)
    .map(({ number }) => number);
  const expect = (what: string, found: number, expected: number) => {
    if (found !== expected)
      findings.violation('I1', `${name}: ${what} is ${found} instead of ${expected}`);
  };
  if (line.available < 0) findings.violation('I2', `${name}: available is ${line.available}`);
  expect('last', line.last, last);
  expect('available + in records + gone', line.available + numbers.length + line.gone, line.last);
  expect('gone', line.gone, sold.length);
  expect('held', line.held, held);
  checkPlaces(name, line, [...numbers, ...sold], findings);
}

/** Each number once: free, never issued, in a record, or gone. */
function checkPlaces(
  name: string,
  line: LedgerProduct,
  taken: readonly number[],
  findings: Findings,
): void {
  const places = new Map<number, number>();
  for (const number of [...line.free, ...taken]) places.set(number, (places.get(number) ?? 0) + 1);
  for (let number = line.next; number <= line.last; number += 1)
    places.set(number, (places.get(number) ?? 0) + 1);
  const numbers = Array.from({ length: line.last }, (_, index) => index + 1);
  const nowhere = numbers.filter((number) => !places.has(number)).map(String);
  const twice = [...places].filter(([, count]) => count > 1).map(([number]) => String(number));
  const beyond = [...places.keys()].filter((number) => number > line.last).map(String);
  if (nowhere.length > 0) findings.violation('I1', `${name}: units nowhere: ${some(nowhere)}`);
  if (twice.length > 0) findings.violation('I1', `${name}: units twice: ${some(twice)}`);
  if (beyond.length > 0)
    findings.violation('I2', `${name}: units that never came in: ${some(beyond)}`);
}
