import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';

export interface RawEvent extends Pick<KafkaMessage, 'key' | 'value' | 'headers'> {
  partition: number;
  offset: number;
}

/** A plain client, which shares nothing with the bus of the services. */
export const openKafka = (brokers: string): Kafka =>
  new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });

let readers = 0;
const readLimitMs = 60_000;

/** Messages of a topic by partition and offset: all of them, or the last so many of each partition. */
export async function readTopic(
  kafka: Kafka,
  topic: string,
  lastOfEach = Infinity,
): Promise<RawEvent[]> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect());
  const wanted = ends.map(({ partition, low, high }) => ({
    partition,
    from: Math.max(Number(low), Number(high) - lastOfEach),
    to: Number(high),
  }));
  const open = new Set(wanted.filter(({ from, to }) => from < to).map((one) => one.partition));
  const events: RawEvent[] = [];
  if (open.size === 0) return events;
  readers += 1;
  const consumer = kafka.consumer({ groupId: `chaos-reader-${process.pid}-${readers}` });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${topic} was not read in time`)),
        readLimitMs,
      );
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      consumer
        .run({
          eachMessage: async ({ partition, message }) => {
            const { key, value, headers } = message;
            const offset = Number(message.offset);
            const range = wanted.find((one) => one.partition === partition);
            if (!range || offset < range.from || offset >= range.to) return;
            events.push({ key, value, headers, partition, offset });
            if (offset === range.to - 1) open.delete(partition);
            if (open.size === 0) done();
          },
        })
        .catch(reject);
      for (const { partition, from } of wanted)
        consumer.seek({ topic, partition, offset: String(from) });
    });
  } finally {
    await consumer.disconnect();
  }
  return events.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}
