import { describe, expect, it } from '@jest/globals';
import { slotOwners } from './slot-owners.ts';

const line = (address: string, flags: string, epoch: number, ...slots: string[]) =>
  `0a ${address} ${flags} - 0 1 ${epoch} connected ${slots.join(' ')}`.trimEnd();
const view = (...lines: string[]) => ({ host: 'h', nodes: `${lines.join('\n')}\n` });

describe('who has a slot', () => {
  it('is told by each master: single slots, ranges, none; replicas have no say', () => {
    const owners = slotOwners([
      view(
        line('10.0.0.1:7000@17000', 'myself,master', 1, '0-2', '5', '[5->-0b]'),
        line('10.0.0.2:7000@17000', 'master', 2, '3-4', '[5-<-0a]'),
        line('10.0.0.3:7000@17000', 'slave', 2),
        line('10.0.0.4:7000@17000,', 'master', 3),
      ),
    ]);
    const [first, second] = ['10.0.0.1:7000', '10.0.0.2:7000'];
    expect(owners).toEqual([first, first, first, second, second, first]);
  });

  it('goes by names where nodes have them, and by where it was asked when it knows no address', () => {
    const named = line('10.0.0.1:7000@17000,node-1,nodename=x', 'master', 1, '0');
    expect(slotOwners([view(named, line(':7001@17001', 'myself,master', 2, '1'))])).toEqual([
      'node-1:7000',
      'h:7001',
    ]);
  });

  it('is whoever claims it with the highest epoch, in whatever order nodes answer', () => {
    const cutOff = view(
      line('a:1@2', 'myself,master', 1, '0-1'),
      line('b:1@2', 'master,fail?', 2, '2'),
    );
    const others = view(
      line('a:1@2', 'master,fail', 1),
      line('b:1@2', 'myself,master', 2, '2'),
      line('c:1@2', 'master', 3, '0-1'),
    );
    const owners = ['c:1', 'c:1', 'b:1'];
    expect(slotOwners([cutOff, others])).toEqual(owners);
    expect(slotOwners([others, cutOff])).toEqual(owners);
  });
});
