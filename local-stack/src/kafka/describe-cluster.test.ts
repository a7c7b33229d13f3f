import { expect, test } from '@jest/globals';
import { countBrokers } from './describe-cluster.ts';

const text = (value: string): number[] => [value.length + 1, ...Buffer.from(value)];

function reply(options: { error: number; brokers: number }): Buffer {
  const head = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, options.error];
  return Buffer.from([...head, 0, ...text('a-cluster-id'), 0, 0, 0, 1, options.brokers + 1]);
}

test('counts the brokers of a reply', () => {
  expect(countBrokers(reply({ error: 0, brokers: 1 }))).toBe(1);
  expect(countBrokers(reply({ error: 0, brokers: 0 }))).toBe(0);
});

test('takes an error for no broker', () => {
  expect(countBrokers(reply({ error: 15, brokers: 1 }))).toBe(0);
});
