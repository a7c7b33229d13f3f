#!lua flags=allow-oom
--[[
Marks holds as unrecorded again: MongoDB was found not to have their orders, and the sweep builds
them. The mark stands where it stood first, at the time of the reservation. A bare hold has no order
and is never marked: it counts as gone.
KEYS[1] admitted    string  run id of the server that was checked
KEYS[2] sale        hash    epoch, fenced
KEYS[3] holds       hash    orderId -> hold record
KEYS[4] unrecorded  zset    <saleId>/<orderId> by reservation time
ARGV[1] runId
ARGV[2] saleId
ARGV[3..] orderId
RETURNS "not_admitted" | "fenced" | "ok" and per order "marked" | "already" | "gone" (no record)
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced')
if not settings[1] or settings[2] == '1' then
  return { 'fenced' }
end
local saleId = ARGV[2]

-- Decide.
redis.call('ZCARD', KEYS[4])
local replies, marks = { 'ok' }, {}
for i = 3, #ARGV do
  local stored = redis.call('HGET', KEYS[3], ARGV[i])
  local header = stored
    and cjson.decode(string.sub(stored, 1, string.find(stored, '\n', 1, true) - 1))
  local status = 'gone'
  if header and header.kind ~= 'bare' then
    local member = saleId .. '/' .. ARGV[i]
    status = (marks[member] or redis.call('ZSCORE', KEYS[4], member)) and 'already' or 'marked'
    if status == 'marked' then marks[member] = string.format('%.0f', header.at) end
  end
  table.insert(replies, status)
end

-- Write.
for member, at in pairs(marks) do
  redis.call('ZADD', KEYS[4], at, member)
end
return replies
