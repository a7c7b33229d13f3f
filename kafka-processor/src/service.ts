import { connectBus, type EventBus } from '@quicksale/shared/bus';
import type { Logger } from '@quicksale/shared/log';
import { connectMongo } from '@quicksale/shared/mongo';
import { createMongoOrderStore } from '@quicksale/shared/orders';
import { composeService, createMetrics, type Part, type Service } from '@quicksale/shared/process';
import type { KafkaProcessorConfig } from './config.ts';
import { inventoryResultConsumer } from './order-status/inventory-result.consumer.ts';

/** kafka-processor: folds inventory results into the status of orders. */
export function buildService(
  config: KafkaProcessorConfig,
  log: Logger,
  overrides: { bus?: EventBus & Part } = {},
): Service {
  const metrics = createMetrics();
  const mongo = connectMongo({ url: config.mongoUrl, namespace: config.namespace, log, metrics });
  const bus =
    overrides.bus ??
    connectBus({
      brokers: config.kafkaBrokers,
      clientId: 'kafka-processor',
      namespace: config.namespace,
      log,
    });
  return composeService({
    log,
    metrics,
    host: config.host,
    adminPort: config.adminPort,
    internalKey: config.internalKey,
    parts: [
      mongo,
      bus,
      inventoryResultConsumer(bus, {
        orders: createMongoOrderStore(mongo),
        bus,
        repeatsNothing: config.repairsOff.includes('status-repeat'),
      }),
    ],
  });
}
