import { describe, expect, it } from '@jest/globals';
import { entityTag, isUnchanged, matchesVersion, requireVersion, shownBy } from './entity-tag.ts';

describe('entity tags', () => {
  it('name the version and what else the body shows', () => {
    expect(entityTag(3)).toBe('"3"');
    expect(entityTag(3, 10, 7)).toBe('"3-10-7"');
  });

  it.each([
    [undefined, false],
    ['"3-10-7"', true],
    ['W/"3-10-7"', true],
    ['"2", "3-10-7"', true],
    ['*', true],
    ['"3"', false],
    ['"3-10-6"', false],
    ['', false],
  ])('If-None-Match %s: unchanged is %s', (header, unchanged) => {
    expect(isUnchanged(header, entityTag(3, 10, 7))).toBe(unchanged);
  });

  it.each([
    ['"3"', true],
    ['"3-10-7"', true],
    ['"3-1-0"', true],
    ['"2", "3"', true],
    ['*', true],
    // A weak tag does not promise that nothing changed.
    ['W/"3"', false],
    ['"2-3"', false],
    ['"33"', false],
    ['3', false],
    ['"3-x"', false],
    ['', false],
  ])('If-Match %s of version 3: %s', (header, matches) => {
    expect(matchesVersion(header, 3)).toBe(matches);
  });

  it.each([
    ['"3-10-7"', 10],
    ['"2-9", "3-10-7"', 10],
    ['"3-0-0"', 0],
    ['"3"', undefined],
    ['*', undefined],
    ['"2-10-7"', undefined],
    ['W/"3-10-7"', undefined],
  ])('If-Match %s of version 3 shows %s', (header, shown) => {
    expect(shownBy(header, 3)).toBe(shown);
  });

  it('tells a missing If-Match from one of the past', () => {
    expect(() => requireVersion('"3"', 3)).not.toThrow();
    expect(() => requireVersion(undefined, 3)).toThrow(
      expect.objectContaining({ code: 'precondition-required' }),
    );
    expect(() => requireVersion('"2"', 3)).toThrow(
      expect.objectContaining({ code: 'version-conflict', extensions: { version: 3 } }),
    );
  });
});
