import { z } from 'zod';

/** A service as the start page shows it. */
export interface ServiceState {
  name: string;
  state: 'ok' | 'away';
  version?: string;
  uptimeSeconds?: number;
  /** Told only when it is on this machine: nobody outside learns where a server of ours is. */
  address?: string;
}

const health = z.object({
  status: z.literal('ok'),
  version: z.string(),
  uptimeSeconds: z.number(),
});
const limitMs = 1_000;
/** So often the services are asked at most, however many pages are open. */
const freshForMs = 1_000;

/** How this process and the services are; answers within a second or so, whoever is away. */
export function createServiceStates(options: {
  own: { name: string; version: string };
  services: readonly { name: string; url: string }[];
  clock: { now(): number };
}): () => Promise<ServiceState[]> {
  let askedAtMs = -Infinity;
  let latest: Promise<ServiceState[]> = Promise.resolve([]);
  return async () => {
    if (options.clock.now() - askedAtMs >= freshForMs) {
      askedAtMs = options.clock.now();
      latest = Promise.all(options.services.map(stateOf));
    }
    const own = {
      ...options.own,
      state: 'ok' as const,
      uptimeSeconds: Math.floor(process.uptime()),
    };
    return [own, ...(await latest)];
  };
}

async function stateOf({ name, url }: { name: string; url: string }): Promise<ServiceState> {
  const { hostname, host } = new URL(url);
  const isHere = /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname);
  const service = { name, ...(isHere && { address: host }) };
  try {
    const answer = await fetch(new URL('/health', url), {
      redirect: 'error',
      signal: AbortSignal.timeout(limitMs),
    });
    const { version, uptimeSeconds } = health.parse(await answer.json());
    return { ...service, state: 'ok', version, uptimeSeconds };
  } catch {
    return { ...service, state: 'away' };
  }
}
