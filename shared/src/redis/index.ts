export { connectRedis, type RedisConnection } from './connect-redis.ts';
export { defineScript } from './define-script.ts';
