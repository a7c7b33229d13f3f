import { openKafka, readTopic } from '../raw-topic.ts';
import { seededRandom } from '../../seeded-random.ts';
import { faultKind } from './fault.ts';

const topics = ['order.created', 'inventory.result', 'order.status'] as const;
const lastOfEach = 60;
const mostEvents = 120;

/** Events that are on a topic already come again: late, some of them twice, in another order. */
export const redelivery = faultKind<{ topic: string; order: number }>({
  name: 'redelivery',
  weight: 2,
  draw: (random) => ({ topic: random.pick(topics), order: random.between(1, 1_000_000) }),
  describe: ({ topic }) => topic,
  affects: () => 'confirm',
  inject: async ({ system }, { topic: name, order }) => {
    const kafka = openKafka(system.urls.KAFKA_BROKERS);
    const topic = `${system.namespace}.${name}`;
    const random = seededRandom(order);
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    try {
      const events = random.shuffled(await readTopic(kafka, topic, lastOfEach));
      const chosen = events
        .slice(0, mostEvents)
        .flatMap((event) => (random.isLikely(0.3) ? [event, event] : [event]));
      await producer.connect();
      const messages = random.shuffled(chosen).map(({ key, value, headers }) => ({
        ...{ key, value, headers },
      }));
      if (messages.length > 0) await producer.send({ topic, messages });
      return {};
    } catch (error) {
      return { skipped: String(error) };
    } finally {
      await producer.disconnect().catch(() => undefined);
    }
  },
});
