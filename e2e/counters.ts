import type { System } from './system.ts';

const services = [
  'ORDER_SERVICE',
  'INVENTORY_SERVICE',
  'KAFKA_PROCESSOR',
  'NOTIFIER_SERVICE',
] as const;

/** Counters of all services behind the gateway, summed, by the name that /metrics gives them. */
export async function readCounters(system: System): Promise<Map<string, number>> {
  const counters = new Map<string, number>();
  for (const service of services) {
    const response = await fetch(`${system.env[`${service}_ADMIN_URL`]}/metrics`);
    for (const line of (await response.text()).split('\n')) {
      const [, name, value] = /^(quicksale_\S+) ([\d.e+]+)$/.exec(line) ?? [];
      if (name) counters.set(name, (counters.get(name) ?? 0) + Number(value));
    }
  }
  return counters;
}
