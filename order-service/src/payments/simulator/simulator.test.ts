import { expect, it } from '@jest/globals';
import { createSystemRandom } from '@quicksale/shared/process';
import { createVersionedDocuments } from '../versioned-documents.ts';
import type { SimulatedPayment } from './simulated-payment.ts';
import { createSimulator, type SimulatorDeps } from './simulator.ts';

const startMs = Date.UTC(2026, 0, 1);

function openStore(): SimulatorDeps['store'] {
  const all = new Map<string, SimulatedPayment>();
  return {
    ...createVersionedDocuments<SimulatedPayment>({
      find: async (id) => all.get(id),
      insert: async (payment) => Boolean(all.set(payment.id, payment)),
      replace: async (next, version) =>
        Boolean(all.set(next.id, { ...next, version: version + 1 })),
    }),
    findByKey: async () => undefined,
  };
}

it('refuses no refund for good because the clock of another process is behind', async () => {
  const store = openStore();
  let behindMs = 300_000;
  const at = (now: () => number) =>
    createSimulator({
      ...{ store, secret: '', delays: { delayMs: 1, lateMs: 1 }, random: createSystemRandom() },
      webhooks: { send: async () => undefined, sendLater: () => undefined },
      clock: { now },
    });
  const charging = at(() => startMs);
  const refunding = at(() => startMs - behindMs);
  const { id: intentId } = await charging.createIntent({
    ...{ paymentId: 'p', userId: 'u', amount: 500, currency: 'USD', idempotencyKey: 'k' },
  });
  const charge = { intentId, methodToken: 'sim_ok', userId: 'u', idempotencyKey: 'c' };
  expect((await charging.confirmIntent(charge)).status).toBe('succeeded');
  const refund = { intentId, amount: 500, refundId: 'r' };
  await expect(refunding.refund(refund)).rejects.toMatchObject({ kind: 'unavailable' });
  behindMs = 0;
  expect(await refunding.refund(refund)).toMatchObject({ status: 'succeeded' });
});
