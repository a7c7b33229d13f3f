import { describe, expect, it } from '@jest/globals';
import { csvCell, csvLine } from './csv-cell.ts';

describe('a cell of a table', () => {
  it('is nothing that a spreadsheet would run', () => {
    for (const text of ['=1', '+1', '-1', '@x', '\tx', '\rx', '\nx'])
      expect(csvCell(text).replace(/^"/, '')[0]).toBe("'");
    expect(csvCell(-1)).toBe('-1');
  });

  it('is quoted where it has to be', () => {
    expect(csvCell(null)).toBe('');
    expect(csvCell('a,b')).toBe('"a,b"');
    expect(csvLine(['a "b"', 'c\nd', 7])).toBe('"a ""b""","c\nd",7\r\n');
  });
});
