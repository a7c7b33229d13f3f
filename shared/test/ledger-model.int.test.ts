import { randomInt } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { openLedger, type LedgerFixture } from './ledger-fixture.ts';
import { ledgerWithClock, runModel, scriptFolder, type Fault } from './ledger-model.ts';

jest.setTimeout(3_600_000);
const runs = Number(process.env.MODEL_RUNS ?? 10);
const seed = Number(process.env.MODEL_SEED ?? randomInt(2 ** 31));

let fixture: LedgerFixture;
beforeAll(async () => {
  // A server that does not wait for the disk at every command: this is about what the scripts do. And
  // a database of its own, since looking for its keys goes through those of everybody else.
  fixture = await openLedger(2, String(new URL('/1', process.env.REDIS_URL)));
});
afterAll(() => fixture.close());

it(`the scripts do what the ledger in memory does (seed ${seed})`, async () => {
  const tally = await runModel(fixture, await ledgerWithClock(fixture), { runs, seed });
  process.stdout.write(`ledger model: ${tally.commands} commands in ${runs} runs, seed ${seed}\n`);
});

/** At least one fault per script: each is one that a reader may overlook. */
const faults: Fault[] = [
  { script: 'reserve', from: 'left < item.quantity', to: 'left < item.quantity - 1' },
  { script: 'reserve', from: 'now >= closesAt', to: 'now > closesAt' },
  { script: 'reserve', from: 'now < opensAt', to: 'now <= opensAt' },
  { script: 'reserve', from: "settings[8] == 'fast'", to: "settings[8] == 'safe'" },
  { script: 'reserve', from: "order.kind == 'order' and order.unasked", to: 'order.unasked' },
  { script: 'reserve', from: 'or header.expiresAt <= now', to: 'or header.expiresAt < now' },
  {
    script: 'reserve',
    from: 'headerOf(record).expiresAt <= now',
    to: 'headerOf(record).expiresAt < now',
  },
  {
    script: 'release',
    from: 'product.available = (product',
    to: 'product.available = 1 + (product',
  },
  { script: 'settle', from: 'header.expiresAt = 0', to: 'header.expiresAt = 1' },
  { script: 'settle', from: 'header.deadline = header.expiresAt', to: '' },
  { script: 'ship', from: 'if record.header.expiresAt > 0 then', to: 'if false then' },
  { script: 'claim-due', from: 'now + lease)', to: 'now)' },
  { script: 'claim-due', from: "format('%.0f', now)", to: "format('%.0f', now - 1)" },
  { script: 'claim-unrecorded', from: 'now - age)', to: 'now - age - 1)' },
  { script: 'claim-unrecorded', from: 'now + lease - age)', to: 'now + lease)' },
  { script: 'mark-unrecorded', from: "header.kind ~= 'bare'", to: 'true' },
  { script: 'mark-unrecorded', from: 'header.at)', to: 'header.at + 1)' },
  { script: 'read-holds', from: "record or ''", to: "''" },
  { script: 'read-holds', from: "redis.call('ZREM', KEYS[5], saleId .. '/' .. ARGV[i])", to: '' },
  { script: 'raise', from: 'tonumber(line[2]) + more', to: 'tonumber(line[2])' },
  { script: 'put-sale', from: '>= tonumber(ARGV[3])', to: '> tonumber(ARGV[3])' },
  { script: 'fence', from: 'tonumber(settings[1]) > tonumber(ARGV[2])', to: 'false' },
  { script: 'rebuild', from: 'known >= epoch', to: 'known > epoch + 1' },
  { script: 'rebuild', from: 'known ~= epoch', to: 'known > epoch' },
  { script: 'rebuild', from: 'sale[3] ~= slice', to: 'tonumber(sale[3]) > tonumber(slice)' },
  { script: 'rebuild', from: 'records ~= tonumber(ARGV[6])', to: 'false' },
  { script: 'rebuild', from: "write('ZREM', KEYS[6], struck)", to: '' },
  { script: 'rebuild', from: "write('ZADD', KEYS[6], deadlines)", to: '' },
  { script: 'snapshot', from: "ARGV[2] == '0'", to: "ARGV[2] ~= '0'" },
];

describe('the model', () => {
  it('has a fault for every script', async () => {
    const scripts = (await readdir(scriptFolder)).map((file) => file.replace(/\.lua$/, ''));
    expect([...new Set(faults.map(({ script }) => script))].sort()).toEqual(scripts.sort());
  });

  it.each(faults)('sees a fault in $script: $to', async (fault) => {
    const broken = await ledgerWithClock(fixture, fault);
    await expect(runModel(fixture, broken, { runs: 60, seed: 1 })).rejects.toThrow();
  });
});
