#!lua flags=allow-oom
--[[
Gives holds whose deadline has passed to one sweeper. A lease keeps others away: the score moves
ahead, so that the entry is due again when the lease has ended. The record keeps its own deadline.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] due       zset    <saleId>/<orderId> by deadline
ARGV[1] runId
ARGV[2] leaseMs
ARGV[3] limit
RETURNS "not_admitted" | "ok" and the entries, the earliest deadline first
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local lease = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local entries = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now),
  'LIMIT', 0, ARGV[3])
if #entries > 0 then
  local moved = {}
  for _, entry in ipairs(entries) do
    table.insert(moved, string.format('%.0f', now + lease))
    table.insert(moved, entry)
  end
  redis.call('ZADD', KEYS[2], 'XX', unpack(moved))
end
return { 'ok', unpack(entries) }
