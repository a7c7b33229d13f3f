import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { addressKey } from '@quicksale/shared/limits';

export interface ConnectionLimits {
  total: number;
  /** From one IPv4 address or IPv6 /64; undefined: any number. */
  perAddress: number | undefined;
  onRefusal: (limit: 'total' | 'address') => void;
}

/** Closes connections beyond the limits as they come, before a byte of them is read. */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  const { total, perAddress = Infinity, onRefusal } = limits;
  const counts = new Map<string, number>();
  server.maxConnections = total;
  server.on('drop', () => onRefusal('total'));
  server.on('connection', (socket: Socket) => {
    const key = addressKey(socket.remoteAddress ?? '');
    const count = (counts.get(key) ?? 0) + 1;
    if (count > perAddress) {
      onRefusal('address');
      socket.destroy();
      return;
    }
    counts.set(key, count);
    socket.once('close', () => {
      const left = (counts.get(key) ?? 1) - 1;
      if (left > 0) counts.set(key, left);
      else counts.delete(key);
    });
  });
}
