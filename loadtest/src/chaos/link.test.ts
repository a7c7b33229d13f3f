import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { openLink, type Link } from './link.ts';

let echo: Server;
let link: Link;

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  link = await openLink('test', [(echo.address() as AddressInfo).port]);
});
afterEach(async () => {
  await link.close();
  echo.close();
});

/** What comes back of these pieces, up to so many bytes, or to the end of the connection. */
async function exchange(pieces: readonly string[], between: () => void, bytes: number) {
  const socket = connect(link.port, '127.0.0.1').setEncoding('utf8').setNoDelay(true);
  let text = '';
  const done = new Promise<void>((resolve) => {
    socket.on('data', (more) => {
      text += String(more);
      if (text.length >= bytes) resolve();
    });
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((next) => setTimeout(next, 20));
    between();
  }
  await done;
  socket.destroy();
  return text;
}

it('bytes never overtake each other, also when a slow link gets fast', async () => {
  link.set({ delayMs: 150 });
  expect(await exchange(['one ', 'two ', 'three'], () => link.set({}), 13)).toBe('one two three');
});

it('may lose the answer after what was asked has arrived', async () => {
  const arrived = once(echo, 'connection').then(async ([socket]: { once: () => void }[]) =>
    once(socket as never, 'data'),
  );
  link.set({ losesAnswers: true });
  expect(await exchange(['one'], () => undefined, 3)).toBe('');
  expect(String((await arrived)[0])).toBe('one');
});

it('refuses while it is down, swallows as a black hole, and is whole again afterwards', async () => {
  link.set({ isDown: true });
  expect(await exchange(['one'], () => undefined, 3)).toBe('');
  link.set({ isBlackhole: true });
  // Healing breaks what has a hole in it.
  expect(await exchange(['one'], () => link.set({}), 3)).toBe('');
  expect(await exchange(['one'], () => undefined, 3)).toBe('one');
});

it('goes on to the next target when one does not listen', async () => {
  const { port } = echo.address() as AddressInfo;
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port: deadPort } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  const two = await openLink('two', [deadPort, port]);
  const first = link;
  link = two;
  for (let turn = 0; turn < 3; turn += 1)
    expect(await exchange(['one'], () => undefined, 3)).toBe('one');
  await first.close();
});
