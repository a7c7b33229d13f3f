#!lua flags=allow-oom
--[[
Gives entries that have waited too long to one sweeper. A lease keeps others away: the score moves
ahead, so that the entry is old enough again when the lease has ended.
KEYS[1] admitted    string  run id of the server that was checked
KEYS[2] unrecorded  zset    <saleId>/<orderId> by reservation time
ARGV[1] runId
ARGV[2] ageMs
ARGV[3] leaseMs
ARGV[4] limit
RETURNS "not_admitted" | "ok" and the entries
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local age, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local entries = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - age),
  'LIMIT', 0, ARGV[4])
if #entries > 0 then
  local moved = {}
  for _, entry in ipairs(entries) do
    table.insert(moved, string.format('%.0f', now + lease - age))
    table.insert(moved, entry)
  end
  redis.call('ZADD', KEYS[2], 'XX', unpack(moved))
end
return { 'ok', unpack(entries) }
