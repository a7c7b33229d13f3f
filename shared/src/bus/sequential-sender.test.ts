import { describe, expect, it } from '@jest/globals';
import { createSequentialSender } from './sequential-sender.ts';

interface Item {
  name: string;
  bytes: number;
}

const tooLarge = new Error('too large');

/** A broker that acknowledges when the test says so. */
function createFixture(options: { timeoutMs?: number; queueRecords?: number } = {}) {
  const sent: string[][] = [];
  const answers: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const sender = createSequentialSender<Item>({
    sendBatch: (items) => {
      sent.push(items.map(({ name }) => name));
      return new Promise<void>((resolve, reject) => answers.push({ resolve, reject }));
    },
    isRefusal: (error) => error === tooLarge,
    timeoutMs: options.timeoutMs ?? 10_000,
    batchRecords: 3,
    batchBytes: 100,
    queueRecords: options.queueRecords ?? 100,
  });
  const send = (...names: string[]) => sender.send(names.map((name) => ({ name, bytes: 10 })));
  const settle = async (how: 'resolve' | 'reject' = 'resolve') => {
    await new Promise(setImmediate);
    answers.shift()?.[how](new Error('refused'));
    await new Promise(setImmediate);
  };
  return { sender, sent, send, settle };
}

/** A sender whose batches are large enough for everything; the test says what the broker does. */
function createRoomySender(takeBatch: (names: string[]) => void) {
  const sender = createSequentialSender<Item>({
    sendBatch: async (items) => takeBatch(items.map(({ name }) => name)),
    isRefusal: (error) => error === tooLarge,
    timeoutMs: 1_000,
    batchRecords: 100,
    batchBytes: 10_000,
    queueRecords: 100,
  });
  return (...names: string[]) => sender.send(names.map((name) => ({ name, bytes: 10 })));
}

describe('sequential sender', () => {
  it('gathers what is asked for while a batch is in flight, in order', async () => {
    const { sent, send, settle } = createFixture();
    const first = [send('a'), send('b')];
    await new Promise(setImmediate);
    const second = [send('c'), send('d', 'e', 'f')];
    expect(sent).toEqual([['a', 'b']]);
    await settle();
    await Promise.all(first);
    expect(sent).toEqual([
      ['a', 'b'],
      ['c', 'd', 'e'],
    ]);
    await settle();
    await second[0];
    await settle();
    await second[1];
    expect(sent).toHaveLength(3);
  });

  it('splits by size, and sends a large record alone', async () => {
    const { sender, sent, settle } = createFixture();
    const done = sender.send([
      { name: 'small', bytes: 10 },
      { name: 'large', bytes: 500 },
      { name: 'last', bytes: 10 },
    ]);
    for (let n = 0; n < 3; n += 1) await settle();
    await done;
    expect(sent).toEqual([['small'], ['large'], ['last']]);
  });

  it('a failed batch fails its calls only, and nothing of them is sent later', async () => {
    const { sent, send, settle } = createFixture();
    const failing = send('a', 'b', 'c', 'd');
    const other = send('e');
    failing.catch(() => undefined);
    await settle('reject');
    await expect(failing).rejects.toMatchObject({ code: 'dependency-unavailable' });
    await settle();
    await other;
    expect(sent).toEqual([['a', 'b', 'c'], ['e']]);
  });

  it('halves a batch that is refused: only the call of the refused record fails, after its others', async () => {
    const sent: string[] = [];
    let batches = 0;
    const send = createRoomySender((names) => {
      batches += 1;
      if (names.some((name) => name.startsWith('bad'))) throw tooLarge;
      sent.push(...names);
    });
    const calls = [['a', 'bad-b', 'c'], ['d'], ['bad-e'], ['f', 'g']];
    const results = await Promise.allSettled(calls.map((names) => send(...names)));
    expect(results.map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    for (const result of results)
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'internal', cause: tooLarge });
    expect(sent).toEqual(['a', 'c', 'd', 'f', 'g']);
    expect(batches).toBeLessThan(4 * 7);
  });

  it('a batch that is too large as a whole gets out in parts', async () => {
    const sent: string[][] = [];
    const send = createRoomySender((names) => {
      if (names.length > 2) throw tooLarge;
      sent.push(names);
    });
    await send(...'abcdef');
    expect(sent.flat()).toEqual([...'abcdef']);
  });

  it('a broker that goes away while a batch is halved leaves the outcome unknown', async () => {
    const answers = [tooLarge, new Error('gone')];
    const sent: string[] = [];
    const send = createRoomySender((names) => {
      const error = answers.shift();
      if (error) throw error;
      sent.push(...names);
    });
    const calls = [send(...'abc'), send('d')];
    const [first, second] = await Promise.allSettled(calls);
    expect(first).toMatchObject({ status: 'rejected', reason: { kind: 'unavailable' } });
    expect(second).toMatchObject({ status: 'fulfilled' });
    // The rest of a call whose outcome is unknown is not sent: it comes again.
    expect(sent).toEqual(['d']);
  });

  it('a call that waits too long is told, while the batch goes on', async () => {
    const { sent, send, settle } = createFixture({ timeoutMs: 20 });
    const inFlight = send('a');
    await new Promise(setImmediate);
    const queued = send('b');
    await expect(inFlight).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(queued).rejects.toMatchObject({ kind: 'unavailable' });
    await settle();
    const later = send('c');
    await settle();
    await later;
    expect(sent).toEqual([['a'], ['c']]);
  });

  it('refuses when too much is waiting and after stop', async () => {
    const { sender, send, settle } = createFixture({ queueRecords: 2 });
    const first = send('a');
    await new Promise(setImmediate);
    const second = send('b', 'c');
    await expect(send('d')).rejects.toMatchObject({ kind: 'unavailable' });
    const stopped = sender.stop(1_000);
    await settle();
    await settle();
    await Promise.all([first, second, stopped]);
    await expect(send('e')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('stop gives up what is not acknowledged in time', async () => {
    const { sender, send } = createFixture();
    const inFlight = send('a');
    await new Promise(setImmediate);
    const queued = send('b');
    queued.catch(() => undefined);
    inFlight.catch(() => undefined);
    await sender.stop(10);
    await expect(queued).rejects.toMatchObject({ kind: 'unavailable' });
  });
});
