export { askByKey, type Answer, type RedisCommand } from './ask-by-key.ts';
export { connectRedis, type RedisConnection, type RedisServers } from './connect-redis.ts';
export { connectRedisServers } from './connect-redis-servers.ts';
export { defineScript } from './define-script.ts';
