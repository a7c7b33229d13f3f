import { Kafka, logLevel } from 'kafkajs';
import type { System } from './system.ts';

interface StoredOrder {
  _id: { toHexString(): string };
  userId: string;
  status: string;
  inventoryStatus: string;
  version: number;
  units?: string[];
  outbox?: unknown[];
  outboxAt?: Date;
}

/** Orders of a sale as MongoDB has them. */
export async function storedOrders(system: System, saleId: string) {
  const orders = await system.mongo
    .db()
    .collection<StoredOrder>('orders')
    .find({ saleId })
    .toArray();
  return orders.map(({ _id, ...order }) => ({ id: _id.toHexString(), ...order }));
}

/** Unit names in the hold records of a sale, by order. */
export async function heldUnits(system: System, saleId: string): Promise<Map<string, string[]>> {
  const snapshot = await snapshotOf(system, saleId);
  return new Map(
    snapshot.records.map(({ orderId, units }) => [
      orderId,
      Object.entries(units).flatMap(([productId, numbers]) =>
        numbers.map((number) => `${saleId}:${productId}:${number}`),
      ),
    ]),
  );
}

export async function snapshotOf(system: System, saleId: string) {
  const snapshot = await system.ledger.snapshot(saleId);
  if (typeof snapshot === 'string') throw new Error(`the ledger says ${snapshot}`);
  return snapshot;
}

/** How many holds of the whole system are still marked as unrecorded. */
export async function unrecordedCount(system: System): Promise<number> {
  const client = system.ledgerRedis.client;
  const keys = await client.keys(`${system.namespace}:ql:{*}:unrecorded`);
  const counts = await Promise.all(keys.map((key) => client.zcard(key)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The data of every message of a topic, read from offset 0. */
export async function readTopic(
  system: System,
  topic: 'order.created' | 'inventory.result' | 'order.status',
): Promise<Record<string, unknown>[]> {
  const kafka = new Kafka({
    brokers: String(system.env.KAFKA_BROKERS).split(','),
    logLevel: logLevel.NOTHING,
  });
  const name = `${system.namespace}.${topic}`;
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(name);
  await admin.disconnect();
  const expected = ends.reduce((sum, { offset }) => sum + Number(offset), 0);
  const consumer = kafka.consumer({ groupId: `${system.namespace}.e2e-${topic}-${Date.now()}` });
  const messages: Record<string, unknown>[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    if (expected === 0) resolve();
    consumer
      .run({
        eachMessage: async ({ message }) => {
          messages.push(JSON.parse(message.value?.toString() ?? '') as Record<string, unknown>);
          if (messages.length === expected) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return messages;
}
