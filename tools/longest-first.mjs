// Jest's order of the test files: those that take long come first, so that the last worker is not left
// alone with one of them. Jest remembers how long files took, but a fresh clone has no memory.
import { existsSync } from 'node:fs';
import SequencerModule from '@jest/test-sequencer';

const Sequencer = SequencerModule.default ?? SequencerModule;

/**
 * Files of more than ten seconds or so, the longest first; but files of races, which ask the database
 * for all that it has, come with others between them that mostly wait.
 */
const long = [
  'order-service/test/payment-races.int.test.ts',
  'inventory-service/test/audit.int.test.ts',
  'order-service/test/payments.int.test.ts',
  'order-service/test/refund-races.int.test.ts',
  'order-service/test/payment-crash.int.test.ts',
  'order-service/test/mongo-trouble.int.test.ts',
  'gateway/test/slow-clients.int.test.ts',
  'order-service/test/discount-races.int.test.ts',
  'order-service/test/expiry-crash.int.test.ts',
  'order-service/test/slow-provider.int.test.ts',
  'shared/test/ledger-model.int.test.ts',
  'order-service/test/expiry-races.int.test.ts',
  'order-service/test/ledger-silent.int.test.ts',
  'order-service/test/process-trouble.int.test.ts',
  'order-service/test/discount-sweep.int.test.ts',
  'order-service/test/fulfilment-crash.int.test.ts',
  'order-service/test/fulfilment-races.int.test.ts',
  'order-service/test/house-orders-crash.int.test.ts',
  'order-service/test/cart-crash.int.test.ts',
  'inventory-service/test/audit-busy.int.test.ts',
  'inventory-service/test/audit-route.int.test.ts',
  'order-service/test/expiry.int.test.ts',
  'inventory-service/test/cluster.int.test.ts',
  'shared/test/stock-ledger-faults.int.test.ts',
  'inventory-service/test/admission.int.test.ts',
  'e2e/chaos.e2e.test.ts',
  'e2e/kill.e2e.test.ts',
  'e2e/repair-table.e2e.test.ts',
  'e2e/audit.e2e.test.ts',
  'e2e/failover.e2e.test.ts',
  'e2e/bus-trouble.e2e.test.ts',
  'e2e/ledger-lost.e2e.test.ts',
  'e2e/sale-crash.e2e.test.ts',
  'e2e/api-fuzz.e2e.test.ts',
];

for (const file of long)
  if (!existsSync(new URL(`../${file}`, import.meta.url))) throw new Error(`there is no ${file}`);

const rank = (path) => {
  const found = long.findIndex((file) => path.replaceAll('\\', '/').endsWith(`/${file}`));
  return found === -1 ? long.length : found;
};

export default class LongestFirst extends Sequencer {
  sort(tests) {
    // A stable sort: the others stay in Jest's own order.
    return [...super.sort(tests)].sort((a, b) => rank(a.path) - rank(b.path));
  }
}
