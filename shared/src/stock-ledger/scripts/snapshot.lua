#!lua flags=allow-oom
--[[
Counters of a sale and one slice of its hold records, for whoever checks the books.
KEYS[1] admitted    string  run id of the server that was checked
KEYS[2] sale        hash    settings, epoch, fenced
KEYS[3] stock       hash    counters per product
KEYS[4] holds       hash    orderId -> hold record
KEYS[5] unrecorded  zset    <saleId>/<orderId> by reservation time
ARGV[1] runId
ARGV[2] cursor      0 for the first slice
ARGV[3] sliceSize
RETURNS "not_admitted" | "unknown_sale" | "ok" epoch fenced(1/0) number of records, of unrecorded
  entries of the whole shard, cursor of the next slice ("0": last), list of stock fields and values,
  list of orderId and record
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced')
if not settings[1] then
  return { 'unknown_sale' }
end
local slice = redis.call('HSCAN', KEYS[4], ARGV[2], 'COUNT', ARGV[3])
return {
  'ok', settings[1], settings[2], tostring(redis.call('HLEN', KEYS[4])),
  tostring(redis.call('ZCARD', KEYS[5])), slice[1],
  ARGV[2] == '0' and redis.call('HGETALL', KEYS[3]) or {}, slice[2],
}
