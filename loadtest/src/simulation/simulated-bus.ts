import { AppError } from '@quicksale/shared/errors';
import type { Bus, Delivered } from '@quicksale/shared/bus';
import type { EventContract, OutgoingEvent } from '@quicksale/shared/contracts';
import type { Life } from './scheduler.ts';
import { noteUnexpected, type World } from './world.ts';

/** Topics of one partition each, and how far each group has come in them. */
export interface SimulatedBus {
  connect(life: Life): Bus;
  /** Takes part in a group's work for as long as the process lives. */
  consume<T>(
    life: Life,
    options: {
      contract: EventContract<T>;
      group: string;
      handle: (batch: readonly Delivered<T>[]) => Promise<unknown>;
    },
  ): void;
  /** Events that a group has not done with. */
  lag(group: string, topic: string): number;
  /** Some events come again, late and in another order, as after a rebalance or a replay. */
  repeatSome(): void;
  /** A group begins again from the first event. */
  replay(): void;
  all(topic: string): readonly OutgoingEvent[];
}

const largestBatch = 4;
const pollEveryMs = 200;
const tries = 3;

export function createSimulatedBus(world: World): SimulatedBus {
  const { random } = world;
  const topics = new Map<string, OutgoingEvent[]>();
  const offsets = new Map<string, number>();
  const groups = new Map<string, string>();
  const topic = (name: string) => {
    const found = topics.get(name) ?? [];
    topics.set(name, found);
    return found;
  };
  const offsetOf = (group: string) => offsets.get(group) ?? 0;

  const connect = (life: Life): Bus => ({
    publish: (events) =>
      world.call({
        ...{ life, store: 'kafka', name: 'publish', mayBeLate: true },
        effect: () => {
          for (const event of events) topic(event.topic).push(event);
        },
      }),
  });

  const consume: SimulatedBus['consume'] = (life, { contract, group, handle }) => {
    groups.set(group, contract.topic);
    const toDelivered = ({ id, type, time, data }: OutgoingEvent) => ({
      ...{ id, context: {} },
      time: time ?? new Date(world.now()).toISOString(),
      data: contract.decode(type, JSON.parse(JSON.stringify(data))),
    });

    async function deliver(batch: ReturnType<typeof toDelivered>[]): Promise<boolean> {
      for (let tried = 1; ; tried += 1) {
        try {
          await handle(batch);
          return true;
        } catch (error) {
          noteUnexpected(world, `${life.name} ${group}`, error);
          const isAway = error instanceof AppError && error.kind === 'unavailable';
          if (!isAway && tried >= tries) return false;
          if (isAway) tried -= 1;
          await world.sleep(life, 100 + random.integer(400));
        }
      }
    }

    world.every(life, `polls for ${group}`, pollEveryMs, async () => {
      const from = offsetOf(group);
      // Without a call: of a consumer that has nothing to do there is nothing to see.
      if (world.away.has('kafka') || topic(contract.topic).length <= from) return;
      const size = 1 + random.integer(largestBatch);
      const batch = topic(contract.topic)
        .slice(from, from + size)
        .map(toDelivered);
      if (!(await deliver(batch)))
        // Event by event; what still fails is a dead letter, and the outbox scan asks again.
        for (const event of batch) await deliver([event]);
      // A commit that gets lost brings the batch back.
      if (random.isLikely(world.weather.unheard)) return;
      // Another member, or a replay, may have moved it meanwhile.
      if (offsetOf(group) === from) offsets.set(group, from + batch.length);
    });
  };

  return {
    connect,
    consume,
    lag: (group, name) => topic(name).length - offsetOf(group),
    repeatSome: () => {
      for (const events of topics.values()) {
        const again = events.filter(() => random.isLikely(0.3));
        while (again.length > 0) events.push(...again.splice(random.integer(again.length), 1));
      }
    },
    replay: () => {
      for (const group of groups.keys()) if (random.isLikely(0.5)) offsets.set(group, 0);
    },
    all: (name) => topic(name),
  };
}
