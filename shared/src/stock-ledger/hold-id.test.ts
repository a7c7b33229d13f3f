import { describe, expect, it } from '@jest/globals';
import { holdId, printHoldId } from './hold-id.ts';

const name = { saleId: `${'a'.repeat(23)}1`, recordId: `${'b'.repeat(23)}2` };

describe('ids of holds', () => {
  it('lead back to the sale and the record, however the digits are written', () => {
    const printed = printHoldId(name);
    expect(printed).toMatch(/^[0-9a-f]{48}$/);
    expect(holdId.parse(printed)).toEqual(name);
    expect(holdId.parse(printed.toUpperCase())).toEqual(name);
  });

  it.each([
    '',
    'a'.repeat(24),
    'a'.repeat(47),
    'a'.repeat(49),
    'g'.repeat(48),
    ` ${'a'.repeat(47)}`,
  ])('are nothing else: %p', (text) => expect(holdId.safeParse(text).success).toBe(false));
});
