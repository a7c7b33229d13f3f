import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { openLedger, type LedgerFixture } from './ledger-fixture.ts';
import { ledgerWithClock, runModel, type Fault } from './ledger-model.ts';

jest.setTimeout(3_600_000);
const runs = Number(process.env.MODEL_RUNS ?? 15);
const seed = Number(process.env.MODEL_SEED ?? randomInt(2 ** 31));

let fixture: LedgerFixture;
beforeAll(async () => {
  fixture = await openLedger(2);
});
afterAll(() => fixture.close());

it(`the scripts do what the ledger in memory does (seed ${seed})`, async () => {
  const compared = await runModel(fixture, await ledgerWithClock(fixture), { runs, seed });
  process.stdout.write(`ledger model: ${compared} commands in ${runs} runs, seed ${seed}\n`);
});

/** One fault per script: each is one that a reader may overlook. */
const faults: Fault[] = [
  { script: 'reserve', from: 'left < item.quantity', to: 'left < item.quantity - 1' },
  {
    script: 'release',
    from: 'product.available = (product',
    to: 'product.available = 1 + (product',
  },
  { script: 'settle', from: 'header.expiresAt = 0', to: 'header.expiresAt = 1' },
  { script: 'settle', from: 'header.deadline = header.expiresAt', to: '' },
  { script: 'ship', from: 'if record.header.expiresAt > 0 then', to: 'if false then' },
  { script: 'claim-due', from: 'now + lease)', to: 'now)' },
  { script: 'claim-unrecorded', from: 'now + lease - age)', to: 'now + lease)' },
  { script: 'read-holds', from: "record or ''", to: "''" },
  { script: 'read-holds', from: "redis.call('ZREM', KEYS[5], saleId .. '/' .. ARGV[i])", to: '' },
  { script: 'raise', from: 'tonumber(line[2]) + more', to: 'tonumber(line[2])' },
  { script: 'put-sale', from: '>= tonumber(ARGV[3])', to: '> tonumber(ARGV[3])' },
  { script: 'fence', from: 'tonumber(settings[1]) > tonumber(ARGV[2])', to: 'false' },
];

describe('the model', () => {
  it.each(faults)('sees a fault in $script', async (fault) => {
    const broken = await ledgerWithClock(fixture, fault);
    await expect(runModel(fixture, broken, { runs: 60, seed: 1 })).rejects.toThrow();
  });
});
