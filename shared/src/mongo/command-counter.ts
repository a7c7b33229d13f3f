import { Counter, type Registry } from '@prometheus-io/client';
import type { mongo } from 'mongoose';

/**
 * Counts commands to MongoDB and the documents or operations in them, by collection: what an order
 * costs the database does not vary with the machine, so tests hold the services to it.
 */
export function createCommandCounter(
  metrics: Registry,
): (event: mongo.CommandStartedEvent) => void {
  const commands = new Counter({
    name: 'quicksale_mongo_commands_total',
    help: 'Commands sent to MongoDB',
    labelNames: ['collection', 'command'],
    registers: [metrics],
  });
  const operations = new Counter({
    name: 'quicksale_mongo_write_operations_total',
    help: 'Documents inserted and updates and deletes asked for',
    labelNames: ['collection', 'command'],
    registers: [metrics],
  });
  return ({ commandName: command, command: body }) => {
    const fields = body as Record<string, unknown>;
    const collection = fields[command];
    // Commands without a collection are the driver's own.
    if (typeof collection !== 'string') return;
    commands.inc({ collection, command });
    const writes = fields.documents ?? fields.updates ?? fields.deletes;
    if (Array.isArray(writes)) operations.inc({ collection, command }, writes.length);
  };
}
