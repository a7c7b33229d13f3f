import { expect, it } from '@jest/globals';
import { hashSlot } from './hash-slot.ts';

it('the slot of a key is the one that Redis says (CLUSTER KEYSLOT)', () => {
  const slots = {
    'ql:{0}:admitted': 13907,
    'ns:ql:{15}:due': 4178,
    foo: 12182,
    'foo{}{bar}': 8363,
    'foo{{bar}}zap': 4015,
    'foo{bar}{zap}': 5061,
    'foo{bar': 15278,
    ü: 9552,
    '': 0,
  };
  expect(Object.fromEntries(Object.keys(slots).map((key) => [key, hashSlot(key)]))).toEqual(slots);
});
