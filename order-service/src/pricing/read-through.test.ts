import { beforeEach, describe, expect, it } from '@jest/globals';
import { createReadThrough, type ReadThrough } from './read-through.ts';

describe('what is read through', () => {
  let nowMs: number;
  let reads: { key: string; finish: (value: string) => void; fail: (error: Error) => void }[];
  let known: ReadThrough<string>;
  beforeEach(() => {
    nowMs = 0;
    reads = [];
    known = createReadThrough({
      clock: { now: () => nowMs },
      read: (key) => new Promise((finish, fail) => reads.push({ key, finish, fail })),
      ttlMs: (value) => (value === '' ? 0 : 1_000),
      most: 2,
    });
  });

  it('is read once for all who ask at the same time, and for a while after', async () => {
    const asked = Array.from({ length: 100 }, () => known.get('a'));
    await Promise.resolve();
    reads[0]?.finish('A');
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['A']));
    nowMs = 999;
    expect(await known.get('a')).toBe('A');
    expect(reads).toHaveLength(1);
    nowMs = 1_000;
    const later = known.get('a');
    await Promise.resolve();
    reads[1]?.finish('B');
    expect(await later).toBe('B');
  });

  it('is read anew once it is forgotten, whatever is under way', async () => {
    const before = known.get('a');
    known.forget('a');
    const after = known.get('a');
    await Promise.resolve();
    reads[1]?.finish('new');
    expect(await after).toBe('new');
    reads[0]?.finish('old');
    expect(await before).toBe('old');
    expect(await known.get('a')).toBe('new');
    expect(reads).toHaveLength(2);
  });

  it('is not remembered when it failed, or is not worth it', async () => {
    const failed = known.get('a');
    await Promise.resolve();
    reads[0]?.fail(new Error('away'));
    await expect(failed).rejects.toThrow('away');
    const empty = known.get('a');
    await Promise.resolve();
    reads[1]?.finish('');
    expect(await empty).toBe('');
    void known.get('a');
    expect(reads).toHaveLength(3);
  });

  it('is bounded: the oldest goes', async () => {
    for (const [index, key] of ['a', 'b', 'c'].entries()) {
      const asked = known.get(key);
      await Promise.resolve();
      reads[index]?.finish(key);
      await asked;
    }
    await known.get('b');
    await known.get('c');
    expect(reads).toHaveLength(3);
    void known.get('a');
    expect(reads).toHaveLength(4);
  });
});
