/** A piece of source that occurs exactly once in its file, and what stands there in the broken copy. */
export interface Patch {
  /** From the root of the repository. */
  file: string;
  find: string;
  replace: string;
}

/**
 * QuickSale with one guard taken out: what the checkers are tested against. Where the guard lives in
 * a store, the patches are for both, the real one and the one in memory, so that the chaos harness
 * and the simulation break the same thing.
 */
export interface BrokenVariant {
  name: string;
  /** What is broken, in words. */
  breaks: string;
  /** Invariants of which at least one must be named when it is run. */
  expected: readonly string[];
  patches: readonly Patch[];
}

const ledgerScripts = 'shared/src/stock-ledger/scripts';
const memoryLedger = 'shared/src/stock-ledger/memory-stock-ledger.ts';
const admitServer = 'inventory-service/src/admission/admit-server.ts';

const admitUnchecked: Patch = {
  file: admitServer,
  find: '  if (unchecked.length === 0) return false;\n',
  replace: `  if (unchecked.length === 0) return false;
  await server.admit(unchecked);
  if (Date.now() > 0) return true;
`,
};

const fenceNothing: readonly Patch[] = [
  {
    file: `${ledgerScripts}/fence.lua`,
    find: "redis.call('HSET', KEYS[2], 'fenced', '1')\n",
    replace: '',
  },
  { file: memoryLedger, find: '      sale.settings.fenced = true;\n', replace: '' },
];

export const variants: readonly BrokenVariant[] = [
  {
    name: 'lua-off-by-one',
    breaks: 'the reserving script lets one more unit of a product go than there is',
    expected: ['I1', 'I2'],
    patches: [
      {
        file: `${ledgerScripts}/reserve.lua`,
        find: 'product.room = product.free + whole(line[1], 0) - product.next + 1',
        replace: 'product.room = product.free + whole(line[1], 0) - product.next + 2',
      },
      {
        file: memoryLedger,
        find: 'return available < quantity ? [{ productId, available }] : [];',
        replace: 'return available + 1 < quantity ? [{ productId, available }] : [];',
      },
    ],
  },
  {
    name: 'no-version',
    breaks: 'orders are changed without comparing their version',
    expected: ['I1', 'I7', 'I11'],
    patches: [
      {
        file: 'shared/src/orders/mongo-order-store.ts',
        find: 'filter: { _id: objectId(id), version: change.fromVersion },',
        replace: 'filter: { _id: objectId(id) },',
      },
      {
        file: 'shared/src/orders/memory-order-store.ts',
        find: 'if (order?.version !== change.fromVersion) continue;',
        replace: 'if (!order) continue;',
      },
    ],
  },
  {
    name: 'no-fence',
    breaks: 'signs of a lost ledger close nothing: its sales go on as if nothing had happened',
    expected: ['I1', 'I6', 'I10'],
    patches: [
      ...fenceNothing,
      {
        file: 'inventory-service/src/admission/redis-ledger-server.ts',
        find: "await ask(saleIds.map((saleId) => ['hset', keys.sale(saleId).sale, 'fenced', '1']));",
        replace:
          "await ask(saleIds.map((saleId) => ['hexists', keys.sale(saleId).sale, 'fenced']));",
      },
      {
        file: 'loadtest/src/simulation/ledger-admin.ts',
        find: '            if (sale) sale.settings.fenced = true;\n',
        replace: '            if (!sale) continue;\n',
      },
    ],
  },
  {
    name: 'fence-ignored',
    breaks: 'units are sold while a fenced sale is written back',
    expected: ['I1', 'I4', 'I6'],
    patches: [
      {
        file: `${ledgerScripts}/reserve.lua`,
        find: "if settings[2] == '1' then\n  return { 'fenced' }\nend\n",
        replace: '',
      },
      {
        file: memoryLedger,
        find: "      if (sale.settings.fenced) return requests.map(() => ({ status: 'fenced' }));\n",
        replace: '',
      },
    ],
  },
  {
    name: 'release-without-token',
    breaks: 'units are given back as often as it is asked for, whether or not the record has them',
    expected: ['I1', 'I2', 'I4'],
    patches: [
      {
        file: `${ledgerScripts}/release.lua`,
        find: '    if set[unit] then\n      set[unit] = nil\n',
        replace: '    if true then\n      set[unit] = nil\n',
      },
      {
        file: `${ledgerScripts}/release.lua`,
        find: 'if record.header.expiresAt > 0 then product.held',
        replace: 'if record and record.header.expiresAt > 0 then product.held',
      },
      {
        file: `${ledgerScripts}/release.lua`,
        find: '  if released > 0 then\n    dropTaken(record)\n',
        replace: '  if released > 0 and record then\n    dropTaken(record)\n',
      },
      {
        file: memoryLedger,
        find: `    const { record, left } = takeOut(saleId, sale, units);
    if (!record || left.length === 0) return false;
`,
        replace: `    const { record } = takeOut(saleId, sale, units);
    const left = Object.entries(units.units).flatMap(([productId, numbers]) =>
      numbers.map((unit): [string, number] => [productId, unit]),
    );
`,
      },
      {
        file: memoryLedger,
        find: 'const free = [...(sale.free.get(productId) ?? []), unit].sort((a, b) => a - b);',
        replace:
          'const free = [...new Set([...(sale.free.get(productId) ?? []), unit])].sort((a, b) => a - b);',
      },
      {
        file: memoryLedger,
        find: 'if (countBuyer && countsBuyer(sale, record.kind))',
        replace: 'if (record && countBuyer && countsBuyer(sale, record.kind))',
      },
      {
        file: memoryLedger,
        find: "if (record.kind === 'bare' && !sale.holds.has(units.orderId))",
        replace: "if (record?.kind === 'bare' && !sale.holds.has(units.orderId))",
      },
    ],
  },
  {
    name: 'admission-off',
    breaks: 'a ledger server that came back is used without having been checked',
    expected: ['I1', 'I3', 'I9', 'I12'],
    patches: [admitUnchecked],
  },
  {
    name: 'set-back-unnoticed',
    breaks: 'a ledger that was set back is used unchecked, and no sign of it closes its sales',
    expected: ['I1', 'I6', 'I10'],
    patches: [admitUnchecked, ...fenceNothing],
  },
  {
    name: 'unit-index-off',
    breaks: 'MongoDB lets two orders own one unit',
    expected: ['I2', 'I3'],
    patches: [
      {
        file: 'shared/src/orders/mongo-order-store.ts',
        find: "      name: 'units_1',\n      unique: true,\n",
        replace: "      name: 'units_1',\n",
      },
      {
        file: 'shared/src/orders/memory-order-store.ts',
        find: 'other.units?.some((unit) => order.units?.includes(unit)),',
        replace: 'order.units?.length === -1,',
      },
    ],
  },
  {
    name: 'old-settings-kept',
    breaks: 'a ledger that was set back keeps the prices and pauses that it had',
    expected: ['I13'],
    patches: [
      {
        file: admitServer,
        find: 'const fenced = new Set([...outdated, ...lostOrders.keys()]);',
        replace: 'const fenced = new Set(lostOrders.keys());',
      },
      {
        file: 'inventory-service/src/audit/auditor.ts',
        find: 'if (counters.settingsVersion < sale.putVersion)',
        replace: 'if (counters.settingsVersion < -sale.putVersion)',
      },
    ],
  },
  {
    name: 'recording-releases-own-hold',
    breaks: 'recording an order that is there already gives its own units back',
    expected: ['I1', 'I2', 'I6'],
    patches: [
      {
        file: 'order-service/src/intake/record-holds.ts',
        find: 'if (!own.units?.length && !(await giveBack(deps, hold)))',
        replace: 'if (!(await giveBack(deps, hold)))',
      },
    ],
  },
  {
    name: 'outbox-scan-off',
    breaks: 'nobody does again what a crash left undone after a step of an order',
    expected: ['I1', 'I6'],
    patches: [
      {
        file: 'order-service/src/outbox/scan-outbox.ts',
        find: '  if (!deps.orders.isReachable()) return;\n',
        replace: '  if (deps.orders.isReachable() || !deps.orders.isReachable()) return;\n',
      },
    ],
  },
];

/** The variant of a name. Throws with the known names on any other. */
export function findVariant(name: string): BrokenVariant {
  const found = variants.find((variant) => variant.name === name);
  if (found) return found;
  const names = variants.map((variant) => variant.name).join(', ');
  throw new Error(`there is no broken variant ${name}; there are: ${names}`);
}
