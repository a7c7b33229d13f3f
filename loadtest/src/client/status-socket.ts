import { WebSocket } from 'ws';

/** A frame that the notifier sent. */
export interface Frame {
  type: string;
  seq?: number;
  at: string;
  data: Record<string, unknown>;
}

export interface StatusSocket {
  frames: readonly Frame[];
  /** The first frame, had or to come, that fits; rejects after `limitMs`. */
  waitFor(fits: (frame: Frame) => boolean, limitMs?: number): Promise<Frame>;
  send(frame: unknown): void;
  /** Resolves to the close code. */
  closed: Promise<number>;
  close(): void;
}

/** Opens a WebSocket for the owner of a token; resolves once it is open. */
export async function openStatusSocket(url: string, token: string): Promise<StatusSocket> {
  const socket = new WebSocket(`${url}?token=${token}`);
  const frames: Frame[] = [];
  const waiting = new Set<(frame: Frame) => void>();
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.on('message', (message: Buffer) => {
    const frame = JSON.parse(message.toString()) as Frame;
    frames.push(frame);
    for (const look of [...waiting]) look(frame);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  return {
    frames,
    closed,
    send: (frame) => socket.send(JSON.stringify(frame)),
    close: () => socket.close(),
    waitFor: (fits, limitMs = 10_000) =>
      new Promise((resolve, reject) => {
        const had = frames.find(fits);
        if (had) return resolve(had);
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`no such frame within ${limitMs} ms: ${JSON.stringify(frames)}`));
        }, limitMs);
        const look = (frame: Frame) => {
          if (!fits(frame)) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(frame);
        };
        waiting.add(look);
      }),
  };
}
