import { logLevel, type logCreator } from 'kafkajs';
import type { Logger } from '../log/index.ts';

/** What kafkajs reports as an error although it heals it itself, many times in an outage. */
const benign =
  /rebalanc|re-joining|Expected partition|Connection (error|timeout)|Failed to connect|^Response \w+\(|Closed connection|not currently running|not the leader|coordinator is loading|does not host this topic-partition/i;

/**
 * kafkajs' lines in our log. It calls many things an error that it then heals, so nothing of it is
 * more than a warning; what really ended a consumer is logged by the bus.
 */
export function kafkaLog(log: Logger): { logLevel: logLevel; logCreator: logCreator } {
  return {
    logLevel: logLevel.INFO,
    logCreator:
      () =>
      ({ namespace, level, log: entry }) => {
        const { message, timestamp: _, logger: __, stack: ___, ...rest } = entry;
        const fields = { ...rest, kafkajs: namespace };
        if (level > logLevel.WARN || benign.test(message)) log.debug(fields, message);
        else log.warn(fields, message);
      },
  };
}
