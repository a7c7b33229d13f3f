import WebSocket from 'ws';
import { eventually } from '@quicksale/shared/testing';

export interface ReceivedFrame {
  type: string;
  seq?: number;
  at: string;
  data: Record<string, unknown>;
}

export interface SocketClient {
  frames: ReceivedFrame[];
  updates(): ReceivedFrame[];
  /** Waits for a frame of a type. */
  next(type: string): Promise<ReceivedFrame>;
  send(frame: unknown): void;
  /** Resolves with the close code. */
  closed: Promise<number>;
  /** Resolves with the status when the upgrade is refused. */
  refused: Promise<number | undefined>;
  close(): Promise<void>;
  socket: WebSocket;
}

/** A client as a shop's page would have one. */
export function openSocket(
  port: number,
  token: string,
  options: { path?: string; headers?: Record<string, string> } = {},
): SocketClient {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${options.path ?? '/'}?token=${token}`, {
    headers: options.headers ?? {},
  });
  const frames: ReceivedFrame[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as ReceivedFrame));
  socket.on('error', () => undefined);
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const refused = new Promise<number | undefined>((resolve) => {
    socket.once('unexpected-response', (_req, res) => {
      resolve(res.statusCode);
      socket.terminate();
    });
    socket.once('open', () => resolve(undefined));
  });
  return {
    socket,
    frames,
    closed,
    refused,
    updates: () => frames.filter(({ type }) => type === 'order.update'),
    next: (type) =>
      eventually(() => {
        const found = frames.find((frame) => frame.type === type);
        if (!found) throw new Error(`no ${type} among ${frames.map((frame) => frame.type).join()}`);
        return found;
      }),
    send: (frame) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    close: async () => {
      if (socket.readyState === WebSocket.CLOSED) return;
      socket.close();
      await closed;
    },
  };
}
