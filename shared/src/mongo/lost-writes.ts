import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

let watching = false;
/** On a socket that is seen to; one process may have loaded this module several times, as tests do. */
const seenTo = Symbol.for('quicksale.lost-writes');

/**
 * Ends the wait of whoever has written into a socket that was gone already. The driver (7.8, and 7.9)
 * waits for `drain` then, which a closed socket never tells: a command hung for ever, and when it was
 * the monitor's, the server was never found again. What waits on is told `drain` as the socket closes;
 * the driver then sees by itself that the connection is closed. Once per process, for all sockets that
 * it opens from now on.
 */
export function endLostWrites(): void {
  if (watching) return;
  watching = true;
  subscribe('net.client.socket', (message) => {
    const { socket } = message as { socket: Socket & { [seenTo]?: true } };
    if (socket[seenTo]) return;
    socket[seenTo] = true;
    // Before the driver's own listener, after which nobody would be left to tell.
    socket.once('close', () => {
      if (socket.listenerCount('drain') > 0) socket.emit('drain');
    });
  });
}
