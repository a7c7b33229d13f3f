import type { Admin } from 'kafkajs';

/** Names the topic that takes what cannot be delivered from this one. */
export const deadLetterTopic = (topic: string): string => `${topic}.dlq`;

/** A letter is a message that its own topic took, and its headers grow. */
const largestLetterBytes = 2 * 1024 * 1024;

export interface TopicSettings {
  names: readonly string[];
  partitions: number;
  replicationFactor: number;
}

/** Creates the topics that are missing; resolves when every partition can be used. */
export async function createTopics(admin: Admin, settings: TopicSettings): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const missing = settings.names.filter((name) => !existing.has(name));
  if (missing.length > 0) {
    await admin
      .createTopics({
        waitForLeaders: false,
        topics: missing.map((topic) => ({
          topic,
          numPartitions: settings.partitions,
          replicationFactor: settings.replicationFactor,
          ...(topic.endsWith(deadLetterTopic('')) && {
            configEntries: [{ name: 'max.message.bytes', value: String(largestLetterBytes) }],
          }),
        })),
      })
      .catch(ignoreExisting);
  }
  // Only the leader itself can tell offsets: a broker that is named leader may not know it yet.
  for (const name of settings.names) await admin.fetchTopicOffsets(name);
}

/** Several services create the topics at the same time; all but one are told that they exist. */
function ignoreExisting(error: unknown): void {
  const { errors = [error] } = error as { errors?: readonly unknown[] };
  const exists = (one: unknown) => (one as { type?: unknown }).type === 'TOPIC_ALREADY_EXISTS';
  if (!errors.every(exists)) throw error;
}

/** Messages of a topic that a group has not committed. A group without offsets starts at the first. */
export async function measureLag(admin: Admin, group: string, topic: string): Promise<number> {
  const [ends, [committed]] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId: group, topics: [topic] }),
  ]);
  const offsets = new Map(committed?.partitions.map((p) => [p.partition, BigInt(p.offset)]));
  let lag = 0n;
  for (const { partition, high, low } of ends) {
    const offset = offsets.get(partition) ?? -1n;
    const next = offset > BigInt(low) ? offset : BigInt(low);
    if (BigInt(high) > next) lag += BigInt(high) - next;
  }
  return Number(lag);
}
