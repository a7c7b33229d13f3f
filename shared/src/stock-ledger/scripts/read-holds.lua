#!lua flags=allow-oom
--[[
Reads hold records, and the ledger's time, which their deadlines go by. An entry of the unrecorded
or due set that has no record stands for nothing and goes, else it would be claimed again for ever.
KEYS[1] admitted    string  run id of the server that was checked
KEYS[2] sale        hash    epoch, fenced
KEYS[3] holds       hash    orderId -> hold record
KEYS[4] unrecorded  zset    <saleId>/<orderId> by reservation time
KEYS[5] due         zset    <saleId>/<orderId> by deadline
ARGV[1] runId
ARGV[2] saleId
ARGV[3..] orderId
RETURNS "not_admitted" | "fenced" | "ok", the sale's epoch, nowMs, and per order its record or ""
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced')
if not settings[1] or settings[2] == '1' then
  return { 'fenced' }
end
redis.call('ZCARD', KEYS[4])
redis.call('ZCARD', KEYS[5])
local saleId = ARGV[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local reply = { 'ok', settings[1], string.format('%.0f', now) }
local records = redis.call('HMGET', KEYS[3], unpack(ARGV, 3))
for i = 3, #ARGV do
  local record = records[i - 2]
  if not record then
    redis.call('ZREM', KEYS[4], saleId .. '/' .. ARGV[i])
    redis.call('ZREM', KEYS[5], saleId .. '/' .. ARGV[i])
  end
  table.insert(reply, record or '')
end
return reply
