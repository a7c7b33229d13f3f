import { describe, expect, it } from '@jest/globals';
import { parseHoldRecord, unitNames, unitsByProduct } from './hold-record.ts';

const header = {
  kind: 'order',
  userId: 'u',
  epoch: 2,
  at: 1_763_718_346_000,
  expiresAt: 0,
  units: { p1: [1, 3], p2: [7] },
  prices: { p1: 100, p2: 5 },
};

describe('hold records', () => {
  it('are a line of JSON and the facts as they came, line feeds included', () => {
    for (const facts of ['{}', '', '{"a":[]}\n{"b":1}\n'])
      expect(parseHoldRecord('o', `${JSON.stringify(header)}\n${facts}`)).toEqual({
        ...header,
        orderId: 'o',
        facts,
      });
  });

  it('units have names that lead back to them', () => {
    const names = unitNames('s', header.units);
    expect(names).toEqual(['s:p1:1', 's:p1:3', 's:p2:7']);
    expect(unitsByProduct(names)).toEqual(header.units);
  });
});
