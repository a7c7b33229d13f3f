import { kafkaFields, mongoFields, processFields, type Config } from '@quicksale/shared/config';

/** What kafka-processor reads from its environment. */
export const config = {
  ...processFields('KAFKA_PROCESSOR', 9005),
  ...mongoFields,
  ...kafkaFields,
};

export type KafkaProcessorConfig = Config<typeof config>;
