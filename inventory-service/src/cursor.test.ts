import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { cursorOf, nextPage, toCursor } from './cursor.ts';

const place = cursorOf(z.tuple([z.number(), z.string()]));

describe('cursors', () => {
  it('bring a place back', () => {
    expect(place.parse(toCursor([5, 'ä"b']))).toEqual([5, 'ä"b']);
  });

  it.each([
    '',
    'x',
    '%%%',
    toCursor([5]),
    toCursor(['5', 'a']),
    toCursor([5, 'a', 1]),
    toCursor([5, 'a'.repeat(2_000)]),
    Buffer.from('{"$gt":""}').toString('base64url'),
  ])('%s is none', (text) => {
    expect(place.safeParse(text).success).toBe(false);
  });
});

it('the next page has the filters of this one', () => {
  expect(nextPage('/a', { search: 'x & y', inStock: true, sort: undefined, cursor: 'c' })).toEqual({
    Link: '</a?search=x+%26+y&inStock=true&cursor=c>; rel="next"',
  });
});
