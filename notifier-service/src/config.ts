import { z } from 'zod';
import {
  field,
  integer,
  kafkaFields,
  list,
  mongoFields,
  processFields,
  publicPort,
  tokenFields,
  workRedisFields,
  type Config,
} from '@quicksale/shared/config';

/** What notifier-service reads from its environment. */
export const config = {
  ...processFields('NOTIFIER_SERVICE', 9004),
  ...publicPort('NOTIFIER_SERVICE', 3004),
  ...mongoFields,
  ...workRedisFields,
  ...kafkaFields,
  ...tokenFields,
  wsOrigins: field(
    'WS_ORIGINS',
    list('http://localhost:3000,http://127.0.0.1:3000'),
    'Origins whose pages may open a WebSocket, comma separated',
    'http://localhost:3000,http://127.0.0.1:3000',
  ),
  wsQueryToken: field(
    'WS_QUERY_TOKEN',
    z
      .enum(['on', 'off'])
      .default('on')
      .transform((value) => value === 'on'),
    'Whether ?token=<access token> is accepted; off in production, where addresses are logged',
    'on',
  ),
  wsConnectionsPerUser: field(
    'WS_CONNECTIONS_PER_USER',
    integer(20),
    'WebSockets that one user may have at one notifier',
    '20',
  ),
  wsConnectionsPerIp: field(
    'WS_CONNECTIONS_PER_IP',
    integer(10_000),
    'WebSockets that one address may have at one notifier; lower where addresses are not shared',
    '10000',
  ),
};

export type NotifierServiceConfig = Config<typeof config>;
