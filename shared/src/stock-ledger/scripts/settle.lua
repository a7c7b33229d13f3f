#!lua flags=allow-oom
--[[
Takes the deadline off paid holds: they wait for nobody any more. The record keeps what it was
under another name, for the order and its answer are told from it again; the rest stays as it is. A
bare hold is no order and is never paid: it counts as gone.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] sale      hash    epoch, fenced
KEYS[3] stock     hash    counters per product
KEYS[4] holds     hash    orderId -> hold record
KEYS[5] due       zset    <saleId>/<orderId> by deadline
ARGV[1] runId
ARGV[2] saleId
ARGV[3..] orderId
RETURNS "not_admitted" | "fenced" | "ok" and per order "settled" | "already" | "gone" (no record)
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced')
if not settings[1] or settings[2] == '1' then
  return { 'fenced' }
end
local saleId = ARGV[2]

local function int(value)
  return string.format('%.0f', value)
end

-- A stored figure that is no whole number would fail or spoil a write below: fail now.
local function whole(stored)
  local number = tonumber(stored)
  assert(number and number >= 0 and number <= 9007199254740991 and number % 1 == 0,
    'malformed number in the ledger')
  return number
end

redis.call('ZCARD', KEYS[5])

-- Decide, on figures kept in variables: the same order may be named twice.
local replies, settled, held = { 'ok' }, {}, {}
for i = 3, #ARGV do
  local orderId = ARGV[i]
  local stored = redis.call('HGET', KEYS[4], orderId)
  local status = 'gone'
  if settled[orderId] then
    status = 'already'
  elseif stored then
    local cut = string.find(stored, '\n', 1, true)
    local header = cjson.decode(string.sub(stored, 1, cut - 1))
    status = header.kind == 'bare' and 'gone' or 'already'
    if header.expiresAt > 0 and header.kind ~= 'bare' then
      for productId, numbers in pairs(header.units) do
        local field = productId .. ':held'
        held[field] = (held[field] or whole(redis.call('HGET', KEYS[3], field))) - #numbers
      end
      header.deadline = header.expiresAt
      header.expiresAt = 0
      settled[orderId] = cjson.encode(header) .. string.sub(stored, cut)
      status = 'settled'
    end
  end
  table.insert(replies, status)
end

-- Write.
for field, units in pairs(held) do
  redis.call('HSET', KEYS[3], field, int(units))
end
for orderId, record in pairs(settled) do
  redis.call('HSET', KEYS[4], orderId, record)
  redis.call('ZREM', KEYS[5], saleId .. '/' .. orderId)
end
return replies
