// Writes .env.example from the config tables: node tools/env-example.ts > .env.example
import { pathToFileURL } from 'node:url';
import { config as authService } from '@quicksale/auth-service/config';
import { config as gateway } from '@quicksale/gateway/config';
import { config as inventoryService } from '@quicksale/inventory-service/config';
import { config as kafkaProcessor } from '@quicksale/kafka-processor/config';
import { config as notifierService } from '@quicksale/notifier-service/config';
import { config as orderService } from '@quicksale/order-service/config';
import type { ConfigField, ConfigTable } from '@quicksale/shared/config';

/** The config tables of all processes. */
export const configTables: Readonly<Record<string, ConfigTable>> = {
  gateway,
  'auth-service': authService,
  'inventory-service': inventoryService,
  'order-service': orderService,
  'kafka-processor': kafkaProcessor,
  'notifier-service': notifierService,
};

/** Text of `.env.example`: every variable of every process once, with its meaning and its users. */
export function envExample(): string {
  const variables = new Map<string, { field: ConfigField; services: string[] }>();
  for (const [service, table] of Object.entries(configTables))
    for (const field of Object.values(table)) {
      const known = variables.get(field.env);
      if (known) known.services.push(service);
      else variables.set(field.env, { field, services: [service] });
    }
  const blocks = [...variables.values()].map(({ field, services }) => {
    const users =
      services.length === Object.keys(configTables).length ? 'all' : services.join(', ');
    return `# ${field.doc} (${users})\n${field.env}=${field.example}\n`;
  });
  return [
    '# Every variable that a process reads. `npm start` needs none of them.',
    '# Any secret NAME may be given as NAME_FILE, the path of a file that holds it.\n',
    ...blocks,
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.stdout.write(envExample());
