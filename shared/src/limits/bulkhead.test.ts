import { describe, expect, it } from '@jest/globals';
import { createBulkhead } from './index.ts';

describe('bulkhead', () => {
  it('admits in order, passes room on and refuses beyond its queue', async () => {
    const bulkhead = createBulkhead({ concurrent: 1, waiting: 2, waitLimitMs: 1_000 });
    const admitted: string[] = [];
    const enter = async (name: string) => {
      const leave = await bulkhead.enter();
      admitted.push(name);
      return leave;
    };
    const leaveA = await enter('a');
    const b = enter('b');
    const c = enter('c');
    await expect(enter('d')).rejects.toMatchObject({ code: 'overloaded' });
    leaveA();
    leaveA();
    (await b)();
    (await c)();
    expect(admitted).toEqual(['a', 'b', 'c']);
    (await enter('e'))();
    expect(admitted).toEqual(['a', 'b', 'c', 'e']);
  });

  it('does not let anybody wait for ever', async () => {
    const bulkhead = createBulkhead({ concurrent: 1, waiting: 1, waitLimitMs: 5 });
    const leave = await bulkhead.enter();
    await expect(bulkhead.enter()).rejects.toMatchObject({ code: 'overloaded' });
    leave();
    (await bulkhead.enter())();
  });
});
