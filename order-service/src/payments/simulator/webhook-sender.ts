import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@quicksale/shared/log';
import type { Clock } from '@quicksale/shared/process';
import { signatureHeader, signWebhook } from './webhook-signature.ts';

export interface WebhookSender {
  /** Sends an event; resolves once it is answered, or given up. */
  send(event: object): Promise<void>;
  /** The same after a while, so many times. */
  sendLater(event: object, delayMs: number, times: number): void;
  stop(): Promise<void>;
}

const answerLimitMs = 5_000;

/** Sends signed webhooks by HTTP. One that gets lost is lost: whoever waits for it has to look. */
export function createWebhookSender(deps: {
  url: () => string;
  secret: string;
  clock: Clock;
  log: Logger;
}): WebhookSender {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();

  async function send(event: object): Promise<void> {
    const body = Buffer.from(JSON.stringify(event));
    const signature = signWebhook(deps.secret, body, deps.clock.now());
    try {
      const answer = await fetch(deps.url(), {
        method: 'POST',
        headers: { 'content-type': 'application/json', [signatureHeader]: signature },
        body,
        signal: AbortSignal.timeout(answerLimitMs),
      });
      await answer.arrayBuffer();
      if (!answer.ok) deps.log.warn({ status: answer.status }, 'a simulated webhook is refused');
    } catch (error) {
      deps.log.warn({ err: error }, 'a simulated webhook is lost');
    }
  }

  async function wait(event: object, delayMs: number, times: number): Promise<void> {
    try {
      await sleep(delayMs, undefined, { signal: stopping.signal });
    } catch {
      return;
    }
    await Promise.all(Array.from({ length: times }, () => send(event)));
  }

  return {
    send,
    sendLater: (event, delayMs, times) => {
      const run: Promise<void> = wait(event, delayMs, times).finally(() => running.delete(run));
      running.add(run);
    },
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}
