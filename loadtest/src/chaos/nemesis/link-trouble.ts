import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkTrouble } from '../link.ts';
import { faultKind, isBehindOrders } from './fault.ts';

interface Trouble {
  link: string;
  trouble: LinkTrouble;
  /** All open connections break at the beginning. */
  breaks: boolean;
  forMs: number;
}

/** A way between two parts is slow, swallows everything, is cut, or loses what comes back. */
export const linkTrouble = faultKind<Trouble>({
  name: 'link',
  weight: 6,
  draw: (random, { links }) => {
    const link = random.pick(links);
    const forMs = random.between(300, 4_000);
    const kind = random.pick(['slow', 'blackhole', 'down', 'lost-answers', 'reset'] as const);
    switch (kind) {
      case 'slow':
        return { link, forMs, breaks: false, trouble: { delayMs: random.between(20, 900) } };
      case 'blackhole':
        return { link, forMs, breaks: false, trouble: { isBlackhole: true } };
      case 'down':
        return { link, forMs, breaks: true, trouble: { isDown: true } };
      case 'lost-answers':
        return { link, forMs, breaks: false, trouble: { losesAnswers: true } };
      case 'reset':
        return { link, forMs: 0, breaks: true, trouble: {} };
    }
  },
  describe: ({ link, trouble, forMs }) =>
    `${link} ${forMs === 0 ? 'reset' : `${JSON.stringify(trouble)} for ${forMs} ms`}`,
  affects: ({ link }) => (isBehindOrders(link.split('>')[0] ?? '') ? 'confirm' : 'place'),
  inject: async ({ system }, { link: name, trouble, breaks, forMs }) => {
    const link = system.links.find((one) => one.name === name);
    if (!link) return { skipped: 'there is no such link' };
    link.set(trouble);
    if (breaks) link.reset();
    await sleep(forMs);
    link.set({});
    return {};
  },
});
