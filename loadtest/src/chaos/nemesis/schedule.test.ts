import { expect, it } from '@jest/globals';
import { seededRandom } from '../../seeded-random.ts';
import { faultKinds, findFaultKinds, planFaults, type PlannedFault } from './schedule.ts';

const parts = { processes: ['gateway', 'order-service'], links: ['gateway>redis'] };

function plan(seed: number, count: number): PlannedFault[] {
  const faults = planFaults(seededRandom(seed), faultKinds, parts);
  return Array.from({ length: count }, () => faults.next().value);
}

it('is a function of the seed', () => {
  expect(plan(7, 200)).toEqual(plan(7, 200));
  expect(plan(7, 200)).not.toEqual(plan(8, 200));
});

it('begins with one fault of each kind', () => {
  const first = plan(7, faultKinds.length).map(({ kind }) => kind.name);
  expect([...first].sort()).toEqual(faultKinds.map(({ name }) => name).sort());
});

it('hurts every part and every link sooner or later', () => {
  const told = plan(7, 1_000)
    .map(({ kind, params }) => kind.describe(params))
    .join('\n');
  for (const part of [...parts.processes, ...parts.links, 'redis-ledger', 'postgres', 'kafka'])
    expect(told).toContain(part);
});

it('knows its faults by name', () => {
  expect(findFaultKinds(['pause', 'kill']).map(({ name }) => name)).toEqual(['pause', 'kill']);
  expect(() => findFaultKinds(['rain'])).toThrow(/rain.*ledger-emptied/);
});
