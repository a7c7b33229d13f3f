import { expect, test } from '@jest/globals';
import { splitLines } from './line-splitter.ts';

test('joins chunks into whole lines', () => {
  const lines: string[] = [];
  const take = splitLines((line) => lines.push(line));
  for (const chunk of ['a', 'b\nc', '\n\nd']) {
    take(chunk);
  }
  expect(lines).toEqual(['ab', 'c', '']);
});
